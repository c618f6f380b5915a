from typing import Any

import torch

from shiftgym.models.score import score
from shiftgym.training.recipes.dft import DFT
from shiftgym.training.recipes.sft import SFT


def test_it_climbs_the_mean_probability_of_the_answer_tokens(bench: Any) -> None:
    recipe = bench.make(DFT, batch=6, problems=20)
    batch = bench.one_pass(bench.collected(recipe))
    found = bench.gradient(bench.loss(recipe, batch)[0])
    logprobs = score(bench.model, batch.packed, batch.predictors, batch.targets).logprobs
    assert torch.allclose(found, bench.gradient(-logprobs.exp().mean()), atol=1e-7)
    plain = bench.gradient(bench.loss(bench.make(SFT, batch=6), batch)[0])
    assert not torch.allclose(found, plain, atol=1e-3)
