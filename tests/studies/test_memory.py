"""Whether a study fits, told without weights: Llama-3.2-11B-Vision on one card of 80 GB."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from transformers import MllamaConfig

from shiftgym.studies.config import load_study
from shiftgym.studies.estimate import print_plan
from shiftgym.studies.memory import GB, MemoryPlan, plan_memory, print_memory

BRANCHES = ("init", "sft", "ppo", "sft-blind", "sft-mixed")
LORA = [f"{'' if name == 'init' else 'branches.'}{name}.lora={{rank=16, alpha=32}}" for name in BRANCHES]


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shape of Llama-3.2-11B-Vision, which is transformers' default. There are no weights and no tokenizer."""
    folder = tmp_path_factory.mktemp("llama")
    config = MllamaConfig()
    text = config.text_config
    assert (text.hidden_size, text.num_hidden_layers, text.vocab_size) == (4096, 40, 128256)
    assert text.cross_attention_layers
    (folder / "config.json").write_text(json.dumps({**config.to_dict(), "architectures": ["M"]}))
    return folder


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    out = capsys.readouterr().out
    table = out.split("Memory of a")[1].split("copies:")[0]
    assert max(map(len, table.splitlines())) <= 80
    return " ".join(out.split())


@pytest.mark.slow
def test_llama_3_2_vision_fits_one_card_of_80_gb_by_lora(llama: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"model={llama}", "dtype=bfloat16", "gradient_checkpointing=true", *LORA]
    study = load_study("points-vision", given)
    assert print_plan(study, workers=1, device_memory=80)
    told = printed(capsys)
    assert "Every branch fits." in told
    assert "has no weights" in told
    plan = plan_memory(study, workers=1, device_memory=80)
    for name, one in plan.footprints.items():
        assert one.held + one.parts.gradients == pytest.approx(22.5 * GB, rel=0.05), name
        assert one.learning < 60 * GB
        assert one.peak(plan.room.bytes) < plan.room.bytes
        assert f"{name} 21." in told, "the table says where it goes"
    assert plan.footprints["ppo"].parts.copies > 0 == plan.footprints["sft"].parts.copies, "KL is measured from a start"
    assert plan.footprints["sft-blind"].parts.gradients < plan.footprints["sft"].parts.gradients
    assert not plan.too_large + plan.split


def test_all_of_it_does_not_fit_and_what_helps_is_told(llama: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = load_study("points-vision", [f"model={llama}", "dtype=bfloat16"])
    plan = plan_memory(study, workers=1, device_memory=80)
    whole = plan.footprints["sft"]
    assert whole.held + whole.parts.gradients == pytest.approx(85 * GB, rel=0.01)
    assert plan.too_large == ["init", "sft", "ppo", "sft-blind", "sft-mixed"]
    print_memory(study, plan, Console())
    told = printed(capsys)
    assert "sft takes 106 GB at the least, and with ranks = 4 it fits" in told and "75.0 GB may be used" in told
    assert "What helps: gradient_checkpointing = true, branches.NAME.lora = { rank = 16 }" in told
    assert 'branches.NAME.optimizer.name = "adamw8bit", ranks = 4, or a smaller model' in told
    assert "Main memory beside a GPU: 23.8 GB while" in told
    eight = ["branches.sft.optimizer={name='adamw8bit'}", "gradient_checkpointing=true"]
    less = plan_memory(
        load_study("points-vision", [f"model={llama}", "dtype=bfloat16", *eight]), workers=1, device_memory=80
    )
    light = less.footprints["sft"]
    assert light.held + light.parts.gradients == pytest.approx((64 + 7) * GB, rel=0.02), (
        "embeddings keep moments of 32 bits"
    )


def test_all_of_it_fits_eight_cards_of_80_gb(llama: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"model={llama}", "dtype=bfloat16", "gradient_checkpointing=true", "ranks=8", "branches.sft-mixed.ranks=4"]
    study = load_study("points-vision", given)
    plan = plan_memory(study, workers=1, device_memory=80)
    assert {name: one.ranks for name, one in plan.footprints.items()} == dict.fromkeys(BRANCHES, 8) | {"sft-mixed": 4}
    for name, one in ((name, one.over(8)) for name, one in plan.footprints.items()):
        frozen = one.parts.copies
        assert one.held + one.parts.gradients - frozen == pytest.approx(10.7 * GB, rel=0.07), name
        assert frozen == pytest.approx(2.7 * GB if name == "ppo" else 0, rel=0.02), "the start is divided too"
        assert one.gathered == pytest.approx(21.3 * GB, rel=0.01), "answers are sampled from the whole weights"
    assert not plan.too_large + plan.split
    print_memory(study, plan, Console())
    told = printed(capsys)
    assert "Memory of a rank in GB" in told and "sft x 8 2.66" in told and "Every branch fits." in told
    assert "while ppo loads, 361 GB for its 8 ranks, which share a machine" in told


def test_the_smallest_number_of_ranks_that_fits_is_found(llama: Path) -> None:
    study = load_study("points-vision", [f"model={llama}", "gradient_checkpointing=true"])
    plan = plan_memory(study, workers=1, device_memory=80)
    assert {name: plan.enough_ranks(name) for name in ("sft", "ppo")} == {"sft": 8, "ppo": 8}
    for name, one in plan.footprints.items():
        enough = plan.enough_ranks(name) or 0
        assert one.over(enough).least <= plan.room.bytes < one.over(enough // 2).least
    light = plan.footprints["sft"]
    light = replace(light, over_ranks=replace(light.over_ranks, whole=10 * light.shared.weights))
    barely = replace(plan, footprints={"sft": light.over(2)}, room=replace(plan.room, bytes=light.least))
    assert (barely.too_large, barely.enough_ranks("sft")) == (["sft"], 1), "what is gathered is more than is divided"
    tiny = replace(plan, room=replace(plan.room, bytes=plan.room.bytes // 2))
    assert tiny.enough_ranks("sft") is None, "the whole weights are gathered on every rank"
    assert replace(plan, room=replace(plan.room, kind="cpu")).enough_ranks("sft") is None


def test_a_pass_that_is_too_large_is_split_and_that_is_told(llama: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"model={llama}", "dtype=bfloat16", "gradient_checkpointing=true", *LORA]
    study = load_study("points-vision", [*given, "branches.sft.tokens_per_pass=65536"])
    plan = plan_memory(study, workers=1, device_memory=80)
    assert (plan.split, plan.too_large) == (["sft"], [])
    print_memory(study, plan, Console())
    assert "Training passes of sft will be split" in printed(capsys)


def test_branches_of_a_cpu_share_its_memory(faulty_file: Path) -> None:
    study = load_study(faulty_file, ["branches.failing.train_on=train"])
    one, four = (plan_memory(study, workers=workers) for workers in (1, 4))
    assert one.room.kind == "cpu"
    assert one.room.bytes // 4 == four.room.bytes
    assert isinstance(one, MemoryPlan) and one.weights and not one.too_large
    assert list(one.footprints) == ["init", *study.branches]
