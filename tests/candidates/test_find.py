"""What may be judged, and what it is called."""

import json
from pathlib import Path

import pytest
from tests.candidates.conftest import make_model

from shiftgym.candidates.find import BASE, Checkpoint, find_candidates, fingerprint, gone
from shiftgym.errors import ConfigError


def found(*given: str | Path, **settings: object) -> list[tuple[str, list[int]]]:
    _, *tuned = find_candidates(["points-0", *map(str, given)], **settings)  # type: ignore[arg-type]
    return [(one.label, [each.step for each in one.checkpoints]) for one in tuned]


@pytest.mark.parametrize(
    "name", ["checkpoint-100", "step-000100", "global_step_100", "global_step100_hf", "iter_0000100", "ckpt-100"]
)
def test_a_folder_of_checkpoints_becomes_a_trajectory(tmp_path: Path, name: str) -> None:
    make_model(tmp_path / "run" / name)
    make_model(tmp_path / "run" / name.replace("100", "200"))
    (tmp_path / "run" / "logs").mkdir()
    assert found(tmp_path / "run") == [("run", [100, 200])]


def test_checkpoints_of_this_project_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    make_model(tmp_path / "sft-seed0" / "checkpoints" / "step-000003")
    assert found(tmp_path / "sft-seed0") == [("sft-seed0", [3])]


def test_the_model_of_a_checkpoint_may_lie_deeper(tmp_path: Path) -> None:
    make_model(tmp_path / "run" / "global_step_5" / "actor" / "huggingface")
    (_, candidate) = find_candidates(["points-0", str(tmp_path / "run")])
    assert candidate.checkpoints == (Checkpoint(str(tmp_path / "run/global_step_5/actor/huggingface"), 5),)


def test_shards_of_a_training_are_no_model(tmp_path: Path) -> None:
    shards = tmp_path / "run" / "global_step_5" / "actor"
    (shards / "huggingface").mkdir(parents=True)
    (shards / "huggingface" / "config.json").write_text("{}")
    (shards / "model_world_size_2_rank_0.pt").touch()
    with pytest.raises(ConfigError, match="holds the shards of a training, not a model; merge them first"):
        found(tmp_path / "run")


def test_a_model_beside_checkpoints_is_where_they_end(tmp_path: Path) -> None:
    make_model(tmp_path / "run" / "checkpoint-10", b"ten")
    make_model(tmp_path / "run" / "checkpoint-20", b"twenty")
    make_model(tmp_path / "same" / "checkpoint-20", b"twenty")
    for folder, weights in (("run", b"thirty"), ("same", b"twenty")):
        (tmp_path / folder / "config.json").write_text("{}")
        (tmp_path / folder / "model.safetensors").write_bytes(weights)
    assert found(tmp_path / "run", tmp_path / "same") == [("run", [10, 20, 21]), ("same", [20])]
    (tmp_path / "run" / "trainer_state.json").write_text(json.dumps({"global_step": 30}))
    assert found(tmp_path / "run") == [("run", [10, 20, 30])]


def test_a_configuration_beside_checkpoints_is_no_model(tmp_path: Path) -> None:
    make_model(tmp_path / "run" / "checkpoint-10")
    (tmp_path / "run" / "config.json").write_text("{}")
    (tmp_path / "run" / "training_args.bin").touch()
    assert found(tmp_path / "run") == [("run", [10])]


def test_flops_are_those_that_a_file_declares(tmp_path: Path) -> None:
    for step in (10, 20):
        folder = make_model(tmp_path / f"checkpoint-{step}")
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step, "total_flos": step * 1e9}))
    _, candidate = find_candidates(["points-0", str(tmp_path)], flops_per_step=7.0)
    assert [each.flops for each in candidate.checkpoints] == [10e9, 20e9]


def test_flops_may_be_declared_by_the_caller(tmp_path: Path) -> None:
    make_model(tmp_path / "checkpoint-10")
    make_model(tmp_path / "checkpoint-20")
    _, candidate = find_candidates(["points-0", str(tmp_path)], flops_per_step=7.0)
    assert [each.flops for each in candidate.checkpoints] == [70.0, 140.0]


def test_names_are_as_short_as_they_can_be(tmp_path: Path) -> None:
    paths = [make_model(tmp_path / run / "checkpoint-7") for run in ("sft", "ppo")]
    assert found(*paths) == [("sft/checkpoint-7", [7]), ("ppo/checkpoint-7", [7])]
    assert found("points-0", "Qwen/Qwen3-0.6B@main") == [("points-0-2", [0]), ("Qwen/Qwen3-0.6B@main", [0])]


def test_keys_name_folders_and_base_is_the_start() -> None:
    keys = [one.key for one in find_candidates(["points-0", "points-0", "a/b@c/d"], ["x", "init"])]
    assert keys == [BASE, "init-2", "a-b-c-d"]


def test_an_endpoint_is_a_url_with_a_model() -> None:
    _, one, two = find_candidates(["points-0", "http://localhost:1/v1#a/b", "http://localhost:2/v1"], served="c")
    assert [each.checkpoints[0].source for each in (one, two)] == [
        "http://localhost:1/v1#a/b",
        "http://localhost:2/v1#c",
    ]
    assert (one.label, two.label) == ("a/b", "c")
    with pytest.raises(ConfigError, match="an endpoint needs the name of the model that is to answer"):
        find_candidates(["points-0", "http://localhost:2/v1"])


@pytest.mark.parametrize(
    ("given", "labels", "reason"),
    [
        (["points-0"], [], "give BASE and at least one other model"),
        (["points-0", "nothing here"], [], "is no directory, backbone, hub id"),
        (["points-0", "points-0"], ["a", "a"], "the label 'a' is given twice"),
        (["points-0", "points-0"], ["a", "b", "c"], "3 labels for 2 models"),
    ],
)
def test_bad_input_is_one_line(given: list[str], labels: list[str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        find_candidates(given, labels)


def test_base_is_one_model(tmp_path: Path) -> None:
    make_model(tmp_path / "checkpoint-1")
    make_model(tmp_path / "checkpoint-2")
    with pytest.raises(ConfigError, match=r"cannot be BASE; give one, such as .*checkpoint-2"):
        find_candidates([str(tmp_path), "points-0"])


def test_an_empty_folder_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"neither a model \(config.json\), nor an adapter"):
        found(tmp_path)


def test_an_adapter_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    assert found(tmp_path) == [(tmp_path.name, [0])]


def test_a_fingerprint_follows_the_weights(model_folder: Path) -> None:
    before = fingerprint(Checkpoint(str(model_folder)))
    (model_folder / "trainer_state.json").write_text("{}")
    assert fingerprint(Checkpoint(str(model_folder))) == before
    (model_folder / "model.safetensors").write_bytes(b"Weights")
    assert fingerprint(Checkpoint(str(model_folder))) != before
    assert fingerprint(Checkpoint("points-0")) is None


def test_gguf_files_and_directories_are_candidates(tmp_path: Path) -> None:
    folder = tmp_path / "quantised"
    folder.mkdir()
    file = folder / "tiny-Q4_0.gguf"
    file.write_bytes(b"GGUF")
    base, by_file, by_folder = find_candidates(["points-0", str(file), str(folder)])
    assert by_file.checkpoints == (Checkpoint(str(file)),)
    assert by_folder.checkpoints == (Checkpoint(str(folder)),)
    assert (by_file.label, by_folder.label) == ("tiny-Q4_0.gguf", "quantised")
    for one in (by_file, by_folder):
        checkpoint = one.checkpoints[0]
        before = fingerprint(checkpoint)
        file.write_bytes(file.read_bytes() + b"more")
        assert fingerprint(checkpoint) not in (before, None)
    assert fingerprint(base.checkpoints[0]) is None
    file.unlink()
    assert gone(by_file.checkpoints[0]) and not gone(by_folder.checkpoints[0])
