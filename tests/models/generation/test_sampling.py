"""Sampling tokens from logits."""

import pytest
import torch

from shiftgym.errors import TrainingStopped
from shiftgym.models.generation.sampling import draw, sample


def test_sampling_follows_the_softmax() -> None:
    logits = torch.randn(1, 50, generator=torch.Generator().manual_seed(0)) * 2
    logits[0, 7] = -torch.inf
    noise = (torch.arange(20000) + 0.5) / 20000
    token, logprob = sample(logits.expand(20000, -1), 0.7, noise)
    expected = torch.softmax(logits[0] / 0.7, dim=-1)
    assert torch.allclose(torch.bincount(token, minlength=50) / 20000, expected, atol=1e-4)
    assert torch.allclose(logprob, expected.log()[token], atol=1e-5)
    edge = torch.tensor([0.0, 1 - 2**-24])
    flat = torch.tensor([[-torch.inf, 0.0, 0.0, -torch.inf]]).expand(2, -1)
    assert sample(flat, 1.0, edge)[0].tolist() == [1, 2]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_logits_that_are_not_finite_give_a_token_of_the_vocabulary_and_are_told(
    temperature: float, value: float
) -> None:
    """Minus infinity is no harm, unless there is nothing else."""
    logits = torch.zeros(3, 4)
    logits[1] = value
    logits[2, 2] = value
    token, _, finite = draw(logits, temperature, torch.full((3,), 0.99))
    assert ((token >= 0) & (token < 4)).all()
    assert finite.tolist() == [True, False, value == -torch.inf]
    with pytest.raises(TrainingStopped, match="a logit is not finite"):
        sample(logits, temperature, torch.zeros(3))
