"""Building a shipped backbone: pretraining, its scores, its model card.

shiftgym backbone points --seed 0        # writes src/shiftgym/models/backbone/weights/points-0
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

from jinja2 import Template

from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import Evaluation, evaluate
from shiftgym.models.backbone import WEIGHTS
from shiftgym.models.backbone.corpus import CARELESS, HABITS
from shiftgym.models.backbone.pretrain import Pretraining, pretrain, save
from shiftgym.models.chat import ChatFormat
from shiftgym.models.generate import ModelPolicy
from shiftgym.models.load import load_policy
from shiftgym.tasks.points import PointsOptions, PointsSetting, PointsTask

SCORED = {
    "train": PointsSetting(),
    "id": PointsSetting(hands="test"),
    "rule_ood": PointsSetting(rule="faces_as_11_12_13", hands="test", faces=True),
}
"""The splits that a backbone is scored on: those of the study `points-text`."""

PROBLEMS = 500


def build(task: str, seed: int, out: Path | None, say: Callable[[str], None]) -> Path:
    """Build the backbone of `task`, or go on building it; returns the model directory.

    Args:
        seed: names the backbone, `points-0` for seed 0.
        out: where to write; the package's own weights by default. The state of an unfinished build is kept beside it.

    Raises:
        ConfigError: there is no backbone for this task.
    """
    if task != "points":
        raise ConfigError(f"backbone: unknown task '{task}'; there is a backbone for: points")
    plan = Pretraining()
    target = WEIGHTS / f"{task}-{seed}" if out is None else out
    work = target.with_name(f"{target.name}.unfinished")
    began = time.monotonic()

    def progress(step: int, loss: float) -> None:
        say(f"step {step} of {plan.all_steps}, loss {loss:.3f}, {(time.monotonic() - began) / 60:.1f} min")

    model = pretrain(seed, work, plan, progress)
    save(model, work, target)
    say(f"scoring on {PROBLEMS} problems a split")
    scores = score(str(target))
    (target / "README.md").write_text(card(target.name, seed, plan, model.num_parameters(), scores))
    shutil.rmtree(work)
    return target


def score(model_name: str) -> Evaluation:
    """What the backbone does before any post-training."""
    model, tokenizer = load_policy(model_name)
    form = ChatFormat(tokenizer, model.generation_config)
    return evaluate(
        lambda decoding: ModelPolicy(
            model, form, temperature=0.0 if decoding == "greedy" else 1.0, max_new_tokens=96, seed=0
        ),
        PointsTask(PointsOptions(), SCORED, seed=0),
        splits=list(SCORED),
        problems=PROBLEMS,
        decodings=["sampled", "greedy"],
        origin={},
    )


def card(name: str, seed: int, plan: Pretraining, parameters: int, scores: Evaluation) -> str:
    """The model card: what it is, exactly what it has seen, what it scores."""
    table: list[dict[str, Any]] = []
    for split in SCORED:
        for decoding in ("sampled", "greedy"):
            rows = [row for row in scores.rows if row["split"] == split and row["decoding"] == decoding]
            measures: dict[str, float | None] = {}
            for key in ("success_1", "success", "valid", "translated", "perseverated"):
                values = [row[key] for row in rows if row[key] is not None]
                measures[key] = fmean(values) if values else None
            table.append({"split": split, "decoding": decoding, **measures})
    text = (Path(__file__).parent / "card.md.j2").read_text()
    filled: str = Template(text, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True).render(
        name=name,
        seed=seed,
        plan=plan,
        parameters=parameters,
        habits=HABITS,
        careless=CARELESS,
        table=table,
        problems=PROBLEMS,
    )
    return filled
