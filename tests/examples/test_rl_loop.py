"""The loop that is written to be read trains what the library trains."""

from pathlib import Path

import pytest
import torch

from examples import rl_loop
from shiftgym import OptimizerSettings, build_task, load_policy, load_recipe, train

TASK = build_task("points", options={"limit": 3})


def train_by_library(steps: int, seed: int, folder: Path) -> dict[str, torch.Tensor]:
    """The weights after these steps of the library's own loop, with the constants of the file."""
    settings = load_recipe("ppo").Settings(
        problems=rl_loop.PROBLEMS,
        episodes_per_iteration=rl_loop.EPISODES,
        minibatch=rl_loop.MINIBATCH,
        epochs=rl_loop.EPOCHS,
        max_new_tokens=rl_loop.MAX_NEW_TOKENS,
        reward_scale=rl_loop.REWARD_SCALE,
        gamma=rl_loop.GAMMA,
        gae_lambda=rl_loop.LAMBDA,
        clip=rl_loop.CLIP,
        kl=rl_loop.KL,
        value_rate=rl_loop.VALUE_RATE,
        optimizer=OptimizerSettings(
            learning_rate=rl_loop.LEARNING_RATE,
            betas=rl_loop.BETAS,
            max_grad_norm=rl_loop.MAX_GRAD_NORM,
            warmup=rl_loop.WARMUP,
            schedule="linear",
        ),
    )
    model, chat_format = load_policy("points-0")
    train((model, chat_format), "ppo", TASK, settings=settings, seed=seed, folder=folder, steps=steps)
    return model.state_dict()


@pytest.mark.slow
def test_three_steps_give_the_weights_of_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Small enough that the second step ends one epoch of problems and begins another.
    small = {"PROBLEMS": 9, "EPISODES": 6, "MINIBATCH": 3, "EPOCHS": 2, "WARMUP": 0.5, "MAX_NEW_TOKENS": 60}
    for name, value in {**small, "build_task": lambda _: TASK}.items():
        monkeypatch.setattr(rl_loop, name, value)
    rl_loop.main(["--steps", "3", "--seed", "4", "--out", str(tmp_path / "loop")])
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[:3]] == [
        ["step", str(step)] for step in (1, 2, 3)
    ]

    ours, library = load_policy(str(tmp_path / "loop"))[0].state_dict(), train_by_library(3, 4, tmp_path / "library")
    start = load_policy("points-0")[0].state_dict()
    apart = max((ours[name] - library[name]).abs().max() for name in library)
    moved = max((start[name] - library[name]).abs().max() for name in library)
    assert apart < 1e-5 < 1e-4 < moved
