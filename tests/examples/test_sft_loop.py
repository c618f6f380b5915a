"""The loop that is written to be read trains what the library trains."""

from pathlib import Path

import pytest
import torch

from examples import sft_loop
from shiftgym import OptimizerSettings, build_task, load_policy, load_recipe, train


def train_by_library(steps: int, seed: int, folder: Path) -> dict[str, torch.Tensor]:
    """The weights after these steps of the library's own loop, with the constants of the file."""
    settings = load_recipe("sft").Settings(
        problems=sft_loop.PROBLEMS,
        batch=sft_loop.BATCH,
        optimizer=OptimizerSettings(
            learning_rate=sft_loop.LEARNING_RATE, betas=sft_loop.BETAS, max_grad_norm=sft_loop.MAX_GRAD_NORM
        ),
    )
    model, chat_format = load_policy("points-0")
    train((model, chat_format), "sft", build_task("points"), settings=settings, seed=seed, folder=folder, steps=steps)
    return model.state_dict()


def test_three_steps_give_the_weights_of_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Small enough that the second step ends one epoch and begins another.
    monkeypatch.setattr(sft_loop, "PROBLEMS", 12)
    monkeypatch.setattr(sft_loop, "BATCH", 8)
    sft_loop.main(["--steps", "3", "--seed", "4", "--out", str(tmp_path / "loop")])
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[:3]] == [
        ["step", str(step)] for step in (1, 2, 3)
    ]

    ours, library = load_policy(str(tmp_path / "loop"))[0].state_dict(), train_by_library(3, 4, tmp_path / "library")
    start = load_policy("points-0")[0].state_dict()
    apart = max((ours[name] - library[name]).abs().max() for name in library)
    moved = max((start[name] - library[name]).abs().max() for name in library)
    assert apart < 1e-5 < 1e-4 < moved
