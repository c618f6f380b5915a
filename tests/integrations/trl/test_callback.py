"""The callback measures the model in a Trainer, logs through it, and leaves training as it is."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainerCallback, TrainingArguments

from shiftgym.candidates.compared import Compared
from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import evaluate
from shiftgym.files import read_lines
from shiftgym.integrations.trl import ShiftCallback
from shiftgym.layout import RunFolder
from shiftgym.messages import assistant
from shiftgym.models.loading.load import load_policy
from shiftgym.studies.config import load_study

SMALL = ("task.limit=2", "evaluation.problems=3", "evaluation.max_new_tokens=6")
ASKED: Any = {"problems": 3, "max_new_tokens": 6, "samples": 2}
SPLITS = ["train", "id", "rule_ood"]


class Seen(TrainerCallback):
    """What a tracker is told, and what the Trainer was asked for when a step ended."""

    def __init__(self) -> None:
        self.logs: list[dict[str, float]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        self.logs.append({**logs, "step": state.global_step})


def conversations(tokenizer: Any, count: int = 24) -> list[dict[str, Any]]:
    """Prompts with the expert's answers, cut to 64 tokens, as a Trainer reads them."""
    task, rows = load_study("points-text", SMALL).build_task(), []
    for index in range(count):
        decision = task.start(task.problem("train", index))
        ids = tokenizer(decision.prompt[0]["content"] + task.expert(decision))["input_ids"][-64:]
        rows.append({"input_ids": ids, "labels": ids, "attention_mask": [1] * len(ids)})
    return rows


def batch(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}


def a_trainer(
    folder: Path, out: Path, callbacks: list[TrainerCallback], *, model: Any = None, **arguments: Any
) -> Trainer:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if model is None:
        model = AutoModelForCausalLM.from_pretrained(folder, attention_dropout=0.2)
    settings = {
        "max_steps": 4,
        "logging_steps": 2,
        "save_strategy": "no",
        "learning_rate": 1e-2,
        "per_device_train_batch_size": 4,
    }
    return Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(out),
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
            **{**settings, **arguments},
        ),
        train_dataset=conversations(tokenizer),  # type: ignore[arg-type]
        data_collator=batch,
        processing_class=tokenizer,
        callbacks=callbacks,
    )


# transformers 5.23 warns where TRL, peft and its own Trainer use its names for the recomputing of activations.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing\\w*` is deprecated:FutureWarning")


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report takes seconds; the test of `examples/trl_sft_grpo.py` writes it."""
    monkeypatch.setattr(Compared, "report", lambda self: RunFolder(self.folder).report)


@pytest.mark.parametrize("arguments", [{}, {"gradient_accumulation_steps": 2, "gradient_checkpointing": True}])
def test_training_is_the_same_without_it(tiny_points: Path, tmp_path: Path, arguments: dict[str, Any]) -> None:
    class Noisy(TrainerCallback):
        """Training that draws from every global generator."""

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            drawn.append((random.random(), np.random.rand(), torch.rand(()).item()))  # noqa: NPY002

    found = []
    for callbacks in ([], [ShiftCallback(study="points-text", overrides=SMALL, every=8)]):
        drawn: list[Any] = []
        random.seed(0)  # noqa: TID251
        np.random.seed(0)  # noqa: NPY002, TID251
        trainer = a_trainer(tiny_points, tmp_path, [*callbacks, Noisy()], max_steps=20, **arguments)
        trainer.train()
        logged = [
            {name: value for name, value in log.items() if name in ("loss", "grad_norm", "step")}
            for log in trainer.state.log_history
            if "loss" in log
        ]
        found.append((trainer.model.state_dict(), drawn, logged))
    (plain, *others), (measured, *same) = found
    assert len(others[1]) == 10
    assert others == same
    assert all(torch.equal(plain[name], measured[name]) for name in plain)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["SFT", "DPO", "GRPO"])
def test_trainings_of_trl_are_the_same_without_it(tiny_points: Path, tmp_path: Path, kind: str) -> None:
    """With the defaults of TRL: bfloat16 under autocast, and activations that are computed again."""
    trl = pytest.importorskip("trl")
    task, rows = load_study("points-text").build_task(), []
    for index in range(16):
        decision = task.start(task.problem("train", index))
        answer, other = [assistant(task.expert(decision))], [assistant("no idea")]
        rows.append({"prompt": decision.prompt, "completion": answer, "chosen": answer, "rejected": other})
    columns = {"SFT": ["prompt", "completion"], "DPO": ["prompt", "chosen", "rejected"], "GRPO": ["prompt"]}[kind]
    data = Dataset.from_list([{name: row[name] for name in columns} for row in rows])
    more: dict[str, Any] = {"GRPO": {"max_completion_length": 8, "num_generations": 4}}.get(kind, {})
    rewards = [lambda completions, **_: [float(len(each[0]["content"])) for each in completions]]
    found = []
    for callbacks in ([], [ShiftCallback(study="points-text", overrides=SMALL, every=2)]):
        trainer = getattr(trl, f"{kind}Trainer")(
            model=AutoModelForCausalLM.from_pretrained(tiny_points, attention_dropout=0.2),
            args=getattr(trl, f"{kind}Config")(
                output_dir=str(tmp_path),
                report_to="none",
                use_cpu=True,
                max_steps=4,
                logging_steps=1,
                learning_rate=1e-2,
                per_device_train_batch_size=4,
                save_strategy="no",
                **more,
            ),
            train_dataset=data,
            processing_class=AutoTokenizer.from_pretrained(tiny_points),
            callbacks=callbacks,
            **({"reward_funcs": rewards} if kind == "GRPO" else {}),
        )
        trainer.train()
        logs = [log for log in trainer.state.log_history if "loss" in log]
        timeless = [{name: value for name, value in log.items() if "time" not in name} for log in logs]
        found.append((trainer.model.state_dict(), timeless))
        measured = [log for log in trainer.state.log_history if "shift/rule_ood/success" in log]
        assert len(measured) == (3 if callbacks else 0)
    (plain, logged), (other_weights, same) = found
    assert len(logged) == 4
    assert logged == same
    assert all(torch.equal(plain[name], other_weights[name]) for name in plain)
    assert any(
        not torch.equal(plain[name], start) for name, start in load_policy(str(tiny_points))[0].state_dict().items()
    )


def test_what_is_measured_is_what_evaluate_says_of_the_saved_model(
    tiny_points: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callback = ShiftCallback(study="points-text", every=3, label="mine", overrides=SMALL)
    trainer = a_trainer(tiny_points, tmp_path, [callback])
    trainer.train()
    assert callback.trajectory.steps == [0, 3, 4], "before the first step, every third, and at the end"

    trainer.save_model(str(tmp_path / "end"))
    task = load_study("points-text", SMALL).build_task()
    rows = {step: callback.trajectory.found(step).rows for step in (0, 3, 4)}
    for found, model in ((rows[0], tiny_points), (rows[4], tmp_path / "end")):
        right = evaluate(load_policy(str(model)), task, splits=SPLITS, **ASKED).rows
        origin = found[0].keys() - right[0].keys()
        assert origin == {"branch", "seed", "step", "fraction", "flops", "flops_paper"}
        assert [{name: row[name] for name in row if name not in origin} for row in found] == right

    run = RunFolder(tmp_path / "shift")
    written = list(read_lines(run.results))
    by_step = {row["step"]: row for row in written}
    assert [row["branch"] for row in by_step.values()] == ["init", "trained", "trained"]
    assert [by_step[step]["fraction"] for step in (3, 4)] == [0.75, 1]
    # The Trainer counts six times the weights and the tokens.
    assert by_step[0]["flops"] == 0 < by_step[3]["flops"] == 3 / 4 * by_step[4]["flops"]
    assert by_step[4]["flops"] == trainer.state.total_flos
    verdict = json.loads(run.verdict.read_text())["candidates"]["mine"]
    assert verdict["step"] == 4
    assert (
        f"mine, rule_ood: {verdict['verdicts']['rule_ood']['sentence']}.\nReport: {run.report}"
        in capsys.readouterr().out
    )


def test_it_logs_through_the_trainer(tiny_points: Path, tmp_path: Path) -> None:
    # A tracker stands before the callback in the Trainer's list, whoever comes last in `callbacks`.
    seen = Seen()
    callback = ShiftCallback(study="points-text", overrides=SMALL, every=2)
    trainer = a_trainer(tiny_points, tmp_path, [seen, callback], max_steps=4)
    trainer.train()
    shifts = [log for log in seen.logs if "shift/id/success" in log]
    assert [log["step"] for log in shifts] == [0, 2, 4]
    assert [log["step"] for log in seen.logs if "loss" in log] == [2, 4], "the Trainer's own logs are all there"
    assert [log for log in trainer.state.log_history if "shift/id/success" in log] == shifts
    assert set(shifts[0]) >= {"shift/train/success", "shift/rule_ood/success", "shift/rule_ood/valid"}
    assert not any("change" in name for name in shifts[0])
    now, before = (callback.trajectory.found(step).estimate("valid", split="id").value for step in (4, 0))
    assert (shifts[-1]["shift/id/valid"], shifts[0]["shift/id/valid"]) == pytest.approx((now, before))
    last = {name: value for name, value in shifts[-1].items() if name.startswith("shift/rule_ood/success")}
    gained = last["shift/rule_ood/success"] - shifts[0]["shift/rule_ood/success"]
    assert last["shift/rule_ood/success_change"] == pytest.approx(gained)
    assert last["shift/rule_ood/success_change_low"] <= gained <= last["shift/rule_ood/success_change_high"]


def test_a_stop_before_the_end_is_measured(tiny_points: Path, tmp_path: Path) -> None:
    class Stop(TrainerCallback):
        def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            control.should_training_stop = True

    callback = ShiftCallback(study="points-text", overrides=SMALL, every=100)
    trainer = a_trainer(tiny_points, tmp_path, [callback, Stop()], max_steps=50)
    trainer.train()
    assert callback.trajectory.steps == [0, 6]
    trainer.train()
    assert callback.trajectory.found(0).rows[0]["branch"] == "init", "another training has a start of its own"


def test_a_training_that_is_resumed_keeps_what_was_measured(tiny_points: Path, tmp_path: Path) -> None:
    whole = ShiftCallback(study="points-text", overrides=SMALL, every=2)
    saved = {"save_strategy": "steps", "save_steps": 3, "max_steps": 6}
    a_trainer(tiny_points, tmp_path, [whole], **saved).train()
    rows = {step: whole.trajectory.found(step).rows for step in (0, 2, 4, 6)}

    resumed = ShiftCallback(study="points-text", overrides=SMALL, every=2)
    (RunFolder(tmp_path / "shift").candidate("trained", 4).results).write_text("{}\n")
    a_trainer(tiny_points, tmp_path, [resumed], **saved).train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert {step: resumed.trajectory.found(step).rows for step in (0, 2, 4, 6)} == rows
    assert list(resumed.trajectory.compared.verdicts) == ["trained"]

    other = ShiftCallback(study="points-text", overrides=[*SMALL, "evaluation.max_new_tokens=7"], every=2)
    with pytest.raises(ConfigError, match="its answers were given with max_new_tokens = 6, not 7"):
        a_trainer(tiny_points, tmp_path, [other], **saved).train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))


def test_only_the_first_process_measures(tiny_points: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callback = ShiftCallback(study="points-text", overrides=SMALL, every=1)
    trainer = a_trainer(tiny_points, tmp_path, [callback], max_steps=1)
    monkeypatch.setattr(trainer, "is_world_process_zero", lambda: False)
    trainer.train()
    assert not (tmp_path / "shift").exists()


def test_an_adapter_answers_with_the_model(tiny_points: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    model = AutoModelForCausalLM.from_pretrained(tiny_points)
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], lora_dropout=0.3, task_type="CAUSAL_LM")
    callback = ShiftCallback(study="points-text", overrides=SMALL, every=100)
    trainer = a_trainer(
        tiny_points,
        tmp_path,
        [callback],
        model=peft.get_peft_model(model, config),
        learning_rate=1.0,
        gradient_checkpointing=True,
    )
    trainer.train()
    merged = trainer.model.merge_and_unload()
    chat_format = load_policy(str(tiny_points))[1]
    right = evaluate((merged, chat_format), load_study("points-text", SMALL).build_task(), splits=SPLITS, **ASKED)
    told: dict[int, list[Any]] = {0: [], 4: []}
    for record in read_lines(RunFolder(tmp_path / "shift").episodes):
        told[record["step"]].append(record["decisions"])
    assert told[4] == [record["decisions"] for record in right.episodes] != told[0]

    config = peft.PromptTuningConfig(num_virtual_tokens=2, task_type="CAUSAL_LM")
    soft = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_points), config)
    with pytest.raises(ConfigError, match="adapter PROMPT_TUNING lies in no layer of the model"):
        a_trainer(tiny_points, tmp_path, [callback], model=soft).train()


def test_what_cannot_be_measured_is_said_before_the_first_step(
    tiny_points: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="every: 0 is no number of optimizer steps; give 1 or more"):
        ShiftCallback(study="points-text", every=0)
    with pytest.raises(ConfigError, match="points-txt: no shipped study and no file; did you mean 'points-text'?"):
        ShiftCallback(study="points-txt", every=1)
    callback = ShiftCallback(study="points-text", overrides=SMALL, every=1)
    trainer = a_trainer(tiny_points, tmp_path, [callback])
    trainer.is_fsdp_enabled = True
    monkeypatch.setattr(trainer, "_prepare_for_training", lambda *_: (trainer.model, trainer.get_train_dataloader()))
    with pytest.raises(ConfigError, match="weights are spread over processes"):
        trainer.train()
    with pytest.raises(ConfigError, match="called by no Trainer"):
        callback.on_train_begin(trainer.args, trainer.state, trainer.control)
    trainer = a_trainer(tiny_points, tmp_path, [callback])
    trainer.processing_class = None
    with pytest.raises(ConfigError, match="processing_class is NoneType; give the Trainer the model's tokenizer"):
        trainer.train()
