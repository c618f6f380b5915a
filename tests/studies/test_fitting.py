"""What the tables of a study may not say of one another is told before anything runs."""

from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.studies.config import load_study

FAULTS = [
    ("branches.sft.train_on=trian", "branches.sft.train_on: there is no split 'trian'; did you mean 'train'?"),
    ("init.train_on=trian", "init.train_on: there is no split 'trian'; did you mean 'train'?"),
    ("evaluation.splits=['rule_odd']", "evaluation.splits: there is no split 'rule_odd'; did you mean 'rule_ood'?"),
    ("branches.init={recipe='sft', label='x'}", "branches.init: 'init' is what the shared start is called"),
    ("branches.sft.start='pop'", "branches.sft.start: there is no other branch 'pop'; did you mean 'ppo'?"),
    ("branches.model={recipe='sft', label='x'}", "branches.model: 'model' is what the model as it is is called"),
    ("branches.sft.start='sft'", "branches.sft.start: there is no other branch 'sft'"),
    ("branches.sft.start_at=0.5", "branches.sft.start_at: 'init' has one checkpoint only, at 1.0"),
    ("branches.new={recipe='sft', label='x', start='sft', start_at=0.4}", "branches.new.start_at: sft has no such"),
    ("ladders.rule=['train', 'id']", "ladders.rule: there is no split 'id'"),
    ("probes.splits=['id']", "probes.splits: there is no split 'id'"),
    ("compare.train='trian'", "compare.train: there is no split 'trian'; did you mean 'train'?"),
]


@pytest.mark.parametrize(("assignment", "message"), FAULTS, ids=[assignment for assignment, _ in FAULTS])
def test_tables_that_do_not_fit_are_named(tiny_file: Path, assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_study(tiny_file, [assignment])
    assert str(caught.value).startswith(f"--set: {message}")


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (["dtype=float16"], "dtype: weights in float16 cannot be trained; .* or init.lora = { rank = 16 }$"),
        (["dtype=float16", "init.lora={}"], "or branches.sft.lora = { rank = 16 }$"),
        (
            ["attention=flash_attention_2"],
            "attention: 'flash_attention_2' computes in 16 bits only; give dtype bfloat16",
        ),
    ],
)
def test_a_dtype_that_cannot_be_is_told_before_anything_runs(tiny_file: Path, given: list[str], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        load_study(tiny_file, given)


def test_float16_does_where_only_adapters_are_trained(tiny_file: Path) -> None:
    branches = load_study(tiny_file).branches
    given = [f"{table}.lora={{}}" for table in ("init", *(f"branches.{name}" for name in branches))]
    assert load_study(tiny_file, ["dtype=float16", "attention=flash_attention_3", *given]).dtype == "float16"


@pytest.mark.parametrize(
    ("of_init", "of_sft", "fault"),
    [
        ("{}", "{}", None),
        ("{}", "{rank=16, alpha=32}", None),
        ("{rank=8}", "{rank=4}", "it goes on with the adapter of init, so it must have rank = 8, alpha = 32, targets"),
        ("{targets=['q_proj']}", "{}", "so it must have rank = 16, alpha = 32, targets = ('q_proj',); without lora it"),
    ],
)
def test_a_branch_goes_on_with_the_adapter_that_it_starts_from(
    tiny_file: Path, of_init: str, of_sft: str, fault: str | None
) -> None:
    changes = [f"init.lora={of_init}", f"branches.sft.lora={of_sft}"]
    if fault is None:
        study = load_study(tiny_file, changes)
        assert study.branches["sft"].settings.lora == study.init.settings.lora
        assert study.branches["ppo"].settings.lora is None, "it trains the merged model"
    else:
        with pytest.raises(ConfigError) as caught:
            load_study(tiny_file, changes)
        assert "branches.sft.lora: " in str(caught.value)
        assert fault in str(caught.value)
    load_study(tiny_file, [*changes, "branches.sft.start=model"])
