import pytest
import torch

from shiftgym.training.losses import clipped_policy_loss, kl_divergence, value_loss


def test_at_the_sampling_policy_the_loss_is_minus_the_advantage() -> None:
    logprobs = torch.tensor([-1.0, -2.0], requires_grad=True)
    loss, clipped = clipped_policy_loss(logprobs, logprobs.detach(), torch.tensor([3.0, -2.0]), 0.2)
    loss.sum().backward()
    assert loss.tolist() == [-3.0, 2.0]
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [-3.0, 2.0]
    assert not clipped.any()


@pytest.mark.parametrize(
    ("ratio", "advantage", "is_clipped"),
    [(1.5, 1.0, True), (1.5, -1.0, False), (0.5, 1.0, False), (0.5, -1.0, True), (1.1, 1.0, False)],
)
def test_the_clip_takes_the_gradient_only_where_the_ratio_went_far_enough(
    ratio: float, advantage: float, is_clipped: bool
) -> None:
    logprobs = torch.tensor([ratio]).log().requires_grad_()
    loss, clipped = clipped_policy_loss(logprobs, torch.zeros(1), torch.tensor([advantage]), 0.2)
    loss.backward()
    assert logprobs.grad is not None
    assert bool(clipped) == is_clipped == (logprobs.grad.item() == 0)


def test_kl_is_unbiased_in_the_mean_and_never_negative() -> None:
    generator = torch.Generator().manual_seed(0)
    model, reference = torch.log_softmax(torch.randn(2, 7, generator=generator), -1)
    exact = (model.exp() * (model - reference)).sum()
    estimates = kl_divergence(model, reference)
    assert (model.exp() * estimates).sum().item() == pytest.approx(exact.item(), abs=1e-6)
    assert (estimates >= 0).all()
    assert kl_divergence(model, model).abs().max() == 0


def test_value_loss() -> None:
    assert value_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])).tolist() == [0.0, 2.0]
