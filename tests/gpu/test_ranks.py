"""Weights that are cut up among the GPUs of this machine, or of one GPU's process group."""

import json
import socket
from itertools import chain
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from tests.groups import run_group

from shiftgym import Placement, build_task, load_policy, train
from shiftgym.models.generation.workspace import workspace
from shiftgym.models.gradient_sums import clip_gradients
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.parallel import ALONE, Ranks
from shiftgym.models.player import Player
from shiftgym.models.sharding import gathered, hollow, shard, whole_tensor

CUDA = torch.device("cuda", 0)
PPO = {"episodes_per_iteration": 32, "minibatch": 16, "limit": 2, "max_new_tokens": 64, "optimizer": {"name": "muon"}}


def player_of(name: str, device: str) -> Player:
    model, chat_format = load_policy(name, device=device)
    task = build_task("points", options={"limit": 2, "modality": "vision" if "vision" in name else "text"})
    return Player(model, chat_format, task, seed=0, ledger=Ledger(ModelShape.of(model)), max_new_tokens=32)


@pytest.mark.parametrize("name", ["points-0", "points-vision-0"])
def test_a_model_that_was_cut_up_answers_and_learns_as_it_would_whole(name: str) -> None:
    """By a group of one process, whose weights are gathered and given up as those of several are."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    torch.cuda.set_device(CUDA)
    dist.init_process_group("cpu:gloo,cuda:nccl", init_method=place, rank=0, world_size=1)
    try:
        whole, cut = player_of(name, "cuda"), player_of(name, "cpu")
        if cut.chat_format.pictures is not None:
            cut.chat_format.pictures.count_by(hollow(cut.model, CUDA))
        shard(cut.model, Ranks(0, 1, CUDA))
        with gathered(cut.model):
            assert cut.path == whole.path
        found = []
        for player in (whole, cut):
            played = player.play("train", range(6), [["test", index] for index in range(6)])
            conversations = player.conversations(played)
            (batch,) = player.microbatches(conversations)
            player.score(batch).logprobs.mean().backward()
            norm = clip_gradients(player.model, 0.1)
            gradients = [whole_tensor(weight.grad) for weight in player.model.parameters() if weight.grad is not None]
            found.append(([each.record() for each in played], player.logprobs(conversations), norm, gradients))
        assert workspace(cut.model).captures > 0
        assert found[0][0] == found[1][0]
        assert list(chain(*found[0][1])) == pytest.approx(list(chain(*found[1][1])), abs=1e-4)
        assert found[0][2] == pytest.approx(found[1][2], rel=1e-4)
        for one, other in zip(found[0][3], found[1][3], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)
    finally:
        dist.destroy_process_group()


def train_on(folder: Path, ranks: Ranks | None = None) -> None:
    ranks = ranks or Ranks.joined("cuda")
    placement = Placement(device="cuda")
    train("points-0", "ppo", folder=folder, settings=PPO, steps=2, placement=placement, ranks=ranks)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are not two GPUs")
def test_several_gpus_learn_what_one_learns(tmp_path: Path) -> None:
    train_on(tmp_path / "one", ALONE)
    run_group(torch.cuda.device_count(), train_on, tmp_path / "all", folder=tmp_path / "logs")
    one, other = ((tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("one", "all"))
    for before, after in zip(map(json.loads, one), map(json.loads, other), strict=True):
        assert after["reward"] == pytest.approx(before["reward"], abs=0.5)
        assert after["loss"] == pytest.approx(before["loss"], rel=0.05, abs=0.01)
        assert after["tokens_trained"] == pytest.approx(before["tokens_trained"], rel=0.05)
