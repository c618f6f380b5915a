"""Measuring a shift inside others' training: a callback for the Trainer of transformers, on which those of TRL stand.

    callback = ShiftCallback(study="points-text", every=100)
    trainer = SFTTrainer(model, args, train_dataset=data, callbacks=[callback])
    trainer.train()

At each measurement the model in the Trainer answers the problems of the study, and the Trainer logs the results, so
they reach wandb, tensorboard, trackio and `trainer.state.log_history` beside the loss. In the end there is a report, as
after `shiftgym compare`.
"""

import inspect
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from shiftgym.candidates.judging import judged_study
from shiftgym.candidates.trajectory import Trajectory
from shiftgym.errors import ConfigError
from shiftgym.evaluation.statistics import difference
from shiftgym.integrations.trl.trained_model import trained_model
from shiftgym.reading import require_count
from shiftgym.studies.config import load_study

LOGGED = ("valid", "perseverated")
"""What is logged of each split beside its primary measure. The rows hold every measure."""


class ShiftCallback(TrainerCallback):
    """Measures a model on the splits of a study before the first step, every `every` steps, and after the last.

    Logged are `shift/SPLIT/MEASURE` for the primary measure of each split under the study's primary decoding, for
    validity and for perseveration, and `shift/SPLIT/MEASURE_change`: the paired difference to the first measurement,
    with the ends of its 95 % interval, `..._change_low` and `..._change_high`. All rows, the verdicts and at the end
    report.html are in the folder `shift` of the Trainer's `output_dir`, as those of `shiftgym compare`. Verdicts speak
    of the weights after the last step, also where the Trainer then loads its best checkpoint.

    Training is left as it would be without the callback: weights, random states, modes of the modules and the order of
    the data are the same bit for bit. The model answers as it would after saving and loading: in the format of its
    weights, without dropout and without autocast, and with its adapter.

    Only the first process measures and writes. The others wait for it at their next step, so one measurement has to be
    shorter than `ddp_timeout`. A model whose weights are spread over processes (FSDP, ZeRO-3, tensor parallelism) is
    refused, since no process could answer alone.

    Args:
        study: a shipped study or a study file, whose splits, `[evaluation]` table and primary measure are used.
        every: optimizer steps from one measurement to the next.
        label: what the trained model is called in tables and sentences.
        overrides: `key.path=value` each, to change the study, as in `evaluation.problems=64`.

    Raises:
        ConfigError: there is no such study, `every` is no number of steps, or, when training begins, the model or what
            it reads with cannot be used.
    """

    trajectory: Trajectory
    """The measurements of the present training, or of the last one; `trajectory.compared` has the verdicts."""

    def __init__(self, *, study: str | Path, every: int, label: str = "trained", overrides: Sequence[str] = ()) -> None:
        require_count("every", every, "optimizer steps")
        self.study = judged_study(load_study(study, overrides), probes=False)
        self.every, self.label = every, label

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        # In every process, before any of them waits for another.
        trained_model(_trainer_of(state), "ShiftCallback")
        if state.is_world_process_zero:
            folder = Path(str(args.output_dir)) / "shift"
            self.trajectory = Trajectory(folder, self.study, self.label, begun=state.global_step)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        # Not in `on_train_begin`: only after it every tracker and progress bar is ready to show what is logged.
        if state.is_world_process_zero and not self.trajectory.steps:
            self._measure(state, state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        # Not left to `on_train_end`: by then some trackers are closed.
        last = state.global_step >= state.max_steps or control.should_training_stop
        if state.is_world_process_zero and (last or state.global_step % self.every == 0):
            self._measure(state, state.global_step)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not state.is_world_process_zero:
            return
        # Training may have stopped after its last step had ended. Where the Trainer has loaded its best checkpoint
        # since, the weights of that step are gone.
        if not args.load_best_model_at_end:
            self._measure(state, state.global_step)
        compared = self.trajectory.compared
        for split, judgement in compared.verdicts.get(self.label, {}).items():
            print(f"{self.label}, {split}: {judgement.sentence}.")
        print(f"Report: {compared.report()}")

    def _measure(self, state: TrainerState, step: int) -> None:
        """Measure the present weights, which are those after `step`, unless they were measured, and log what it is."""
        if step in self.trajectory.steps:
            return
        trainer = _trainer_of(state)
        policy = trained_model(trainer, "ShiftCallback")
        # What the Trainer has counted since it last added to its total is this process's share. It counts nothing where
        # it cannot see the tokens, as in GRPO.
        flops = state.total_flos + trainer.current_flos * trainer.args.world_size
        with _left_unchanged(policy[0]):
            self.trajectory.measure(step, policy, flops or None)
        # The method of the base class: those of TRL add what they have averaged since they last logged, and forget it.
        # Logging also takes back a request to log this step, which is kept for the Trainer's own metrics.
        should_log = trainer.control.should_log
        Trainer.log(trainer, self._logged(step))
        trainer.control.should_log = should_log

    def _logged(self, step: int) -> dict[str, float]:
        compare, first = self.study.compare, self.trajectory.steps[0]
        now, start = self.trajectory.found(step), self.trajectory.found(first)
        logged = {}
        for split in self.study.evaluation.splits:
            primary = compare.primary(split)
            for measure in dict.fromkeys((primary, *LOGGED)):
                values = now.values(measure, split=split, decoding=compare.decoding)
                if not np.isnan(values).all():
                    logged[f"shift/{split}/{measure}"] = float(np.nanmean(values))
            if step != first and f"shift/{split}/{primary}" in logged:
                pair = [each.values(primary, split=split, decoding=compare.decoding) for each in (now, start)]
                change = difference(pair[0], pair[1])
                for end, value in (("", change.value), ("_low", change.low), ("_high", change.high)):
                    logged[f"shift/{split}/{primary}_change{end}"] = value
        return logged


def _trainer_of(state: TrainerState) -> Trainer:
    """The Trainer whose event is being handled.

    An event hands over everything but the Trainer itself, and only the Trainer's own `log` reaches every tracker. Since
    the event comes from one of its methods, the Trainer is found in the stack of calls.
    """
    frame = inspect.currentframe()
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, Trainer) and owner.state is state:
            return owner
        frame = frame.f_back
    raise ConfigError("ShiftCallback was called by no Trainer of transformers; give it as one of its callbacks")


@contextmanager
def _left_unchanged(model: PreTrainedModel) -> Iterator[None]:
    """Within, the model may be used. Modes of its modules and all global random states are put back."""
    modes = [(module, module.training) for module in model.modules()]
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # that of whoever trains
    try:
        with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        for module, mode in modes:
            module.training = mode
