"""A study file is checked whole: every fault names the file or the override, the key, the reason, the nearest name."""

import tomllib
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.studies.config import LIBRARY, load_study, shipped_studies

FAULTS = [
    ("budget.flop=1", "budget.flop: unknown key; did you mean 'flops'?"),
    ("branches.sft.recpe='sft'", "branches.sft.recpe: unknown key; did you mean 'recipe'?"),
    ("branches.sft.optimizer.learnin_rate=1", "optimizer.learnin_rate: unknown key; did you mean 'learning_rate'?"),
    ("splits.train.rul='x'", "splits.train.rul: unknown key; did you mean 'rule'?"),
    ("task.limt=3", "task.limt: unknown key; did you mean 'limit'?"),
    ("nmae='x'", "nmae: unknown key; did you mean 'name'?"),
    ("branches.sft.batch=big", "branches.sft.batch: should be a valid integer"),
    ("budget=3", "budget: should be a table, not 3"),
    ("probes.smaples=1", "probes.smaples: unknown key; did you mean 'samples'?"),
    ("title=3", "title: should be a valid string, not 3"),
    ("branches.sft.recipe=spo", "branches.sft.recipe: unknown recipe 'spo'; did you mean 'ppo'?"),
    ("branches.new={recipe='sft'}", "branches.new.label: this key is missing"),
    ("task.hint=outcom", "task.hint: unknown value 'outcom'; did you mean 'outcome'?"),
    ("task.name=pionts", "task.name: unknown task 'pionts'; did you mean 'points'?"),
    ("splits.train.rule=faces_as_tne", "splits.train.rule: unknown rule 'faces_as_tne'; rules are faces_as_ten"),
    ("evaluation.decodings=['gredy']", "evaluation.decodings.0: unknown value 'gredy'; did you mean 'greedy'?"),
    ("seeds=[]", "seeds: give at least one seed, none twice, none negative"),
    ("seeds=[1, 1]", "seeds: give at least one seed, none twice, none negative"),
    ("budget.checkpoints=[0.5, 0.2, 1.0]", "budget.checkpoints: fractions must rise"),
    ("budget.checkpoints=[0.5, 1.5]", "budget.checkpoints: fractions of the budget lie above 0 and not above 1"),
    ("budget.checkpoints=[0.5]", "budget.checkpoints: the last fraction must be 1.0"),
    ("budget.flops=-1", "budget.flops: should be greater than 0, not -1"),
    ("model=pionts-0", "model: 'pionts-0' is no backbone, directory or hub id owner/name"),
    ("compare.hme='train'", "compare.hme: unknown key; did you mean 'home'?"),
    ("compare.home='rule_odd'", "compare.home: there is no evaluated split 'rule_odd'; did you mean 'rule_ood'?"),
    ("compare.home='impossible'", "compare.home: there is no evaluated split 'impossible'; known are train, rule_ood"),
    (
        "compare.shifted=['rule_odd']",
        "compare.shifted: there is no evaluated split 'rule_odd'; did you mean 'rule_ood'",
    ),
    ("compare.shifted=['train']", "compare.shifted: 'train' is the train split or the home split already"),
    ("compare.supervised='stf'", "compare.supervised: there is no branch 'stf'; did you mean 'sft'?"),
    ("compare.reinforced='pop'", "compare.reinforced: there is no branch 'pop'; did you mean 'ppo'?"),
    ("compare.controls=['pop']", "compare.controls: there is no branch 'pop'; did you mean 'ppo'?"),
    ("compare={supervised='sft', controls=['sft']}", "compare.supervised: 'sft' is named twice in [compare]"),
    ("compare.measure='succes'", "compare.measure: there is no measure 'succes'; did you mean 'success'?"),
    ("compare.measures={rule_odd='whole'}", "compare.measures: there is no shifted split 'rule_odd'; did you mean"),
    (
        "compare.measures={rule_ood='hole'}",
        "compare.measures.rule_ood: there is no measure 'hole'; did you mean 'whole'",
    ),
    ("compare.decoding='gredy'", "compare.decoding: unknown value 'gredy'; did you mean 'greedy'?"),
    ("branches.sft.lora={ranks=4}", "branches.sft.lora.ranks: unknown key; did you mean 'rank'?"),
    ("branches.sft.lora={rank=0}", "branches.sft.lora.rank: should be greater than or equal to 1, not 0"),
    ("branches.sft.lora={targets='q('}", "branches.sft.lora.targets: 'q(' is no regular expression: missing )"),
    ("branches.sft.lora={targets=[]}", "branches.sft.lora.targets"),
    (
        "branches.sft={recipe='sft', label='SFT', lora={}, optimizer={name='muon'}}",
        "branches.sft.optimizer: muon is for whole matrices; with lora, use adamw or adamw8bit",
    ),
    ("branches.Bad={recipe='sft', label='x'}", "branches.Bad: String should match pattern"),
]


def test_a_model_of_the_hub_may_name_its_revision(tiny_file: Path) -> None:
    assert load_study(tiny_file, ["model=owner/name@v1.0"]).model == "owner/name@v1.0"


def test_a_backbone_that_is_made_on_this_machine_need_not_be_there_yet(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert load_study(tiny_file, ["model=smollm2"]).model == "smollm2"


@pytest.mark.parametrize(("assignment", "message"), FAULTS, ids=[assignment for assignment, _ in FAULTS])
def test_a_wrong_override_is_named(tiny_file: Path, assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_study(tiny_file, [assignment])
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert text.startswith("--set: ")


def test_a_fault_beside_an_override_is_the_files(tiny_file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_study(tiny_file, ["branches.new.label=x"])
    assert str(caught.value) == f"{tiny_file}: branches.new.recipe: this key is missing"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("problems = 3", "problem = 3", "evaluation.problem: unknown key; did you mean 'problems'?"),
        ("flops = 4e7", "flop = 4e7", "budget.flop: unknown key; did you mean 'flops'?"),
        ("steps = 1", 'steps = "one"', "init.steps: should be a valid integer"),
        ('title = "A study for tests"', "", "title: this key is missing"),
        ("[budget]", "[budget", "no valid TOML"),
    ],
)
def test_a_wrong_file_is_named(tiny_file: Path, old: str, new: str, message: str) -> None:
    tiny_file.write_text(tiny_file.read_text().replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_study(tiny_file)
    assert str(caught.value).startswith(f"{tiny_file}: {message}")


def test_an_unknown_study_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="points-txt: no shipped study and no file; did you mean 'points-text'"):
        load_study("points-txt")


@pytest.mark.parametrize("assignment", ["budget", "=3", "budget..flops=1"])
def test_an_override_that_is_none(tiny_file: Path, assignment: str) -> None:
    with pytest.raises(ConfigError, match=r"--set .*: give key\.path=value"):
        load_study(tiny_file, [assignment])


def test_an_override_into_a_value(tiny_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"--set name\.x=1: 'name' is a value, not a table"):
        load_study(tiny_file, ["name.x=1"])


def test_overrides_are_toml_or_else_text(tiny_file: Path) -> None:
    study = load_study(
        tiny_file,
        ["seeds=[3, 4]", "budget.flops=1e9", "splits.train.rule=shuffled", "branches.ppo.optimizer.name='muon'"],
    )
    assert study.seeds == (3, 4)
    assert study.budget.flops == 1e9
    assert study.splits["train"]["rule"] == "shuffled"
    assert study.branches["ppo"].settings.optimizer.name == "muon"


def test_a_resolved_study_is_complete_and_reads_back_the_same(tiny_file: Path) -> None:
    study = load_study(tiny_file)
    written = study.to_toml()
    values = tomllib.loads(written)
    assert values["task"] == {
        "name": "points", "limit": 2, "hint": "outcome", "expert": "worked", "form": "json", "modality": "text",
        "size": 128,
    }  # fmt: skip
    assert values["splits"]["train"]["target"] == 24
    assert values["branches"]["ppo"]["gae_lambda"] == study.branches["ppo"].gae_lambda
    tiny_file.write_text(written)
    assert load_study(tiny_file) == study


def test_the_task_of_a_study_has_its_splits(tiny_file: Path) -> None:
    task = load_study(tiny_file, ["splits.train.target=10"]).build_task()
    assert task.limit == 2
    assert task.problem("train", 0).target == 10


def test_settings_that_do_not_fit_together_are_told_when_the_file_is_read() -> None:
    with pytest.raises(ConfigError, match=r"^--set: splits\.further\.config: rotate_matrix refuses it: min_rotations"):
        load_study("rg-shift", ["splits.further.config.min_rotations=9"])
    with pytest.raises(ConfigError, match=r"^--set: splits\.further\.config\.min_rot: unknown key; did you mean"):
        load_study("rg-shift", ["splits.further.config.min_rot=9"])


@pytest.mark.parametrize("name", shipped_studies())
def test_shipped_studies_are_sound(name: str) -> None:
    study = load_study(name, ["model=nobody/nothing"])
    assert study.name == name
    assert "[compare]" in (LIBRARY / f"{name}.toml").read_text()
