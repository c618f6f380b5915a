"""Building a shipped backbone: pretraining, its scores, its model card.

shiftgym backbone points --seed 0        # writes src/shiftgym/models/backbone/weights/points-0
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from jinja2 import Template

from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import Evaluation, evaluate
from shiftgym.models.backbone import WEIGHTS, navigation, points
from shiftgym.models.backbone.corpus import Corpus
from shiftgym.models.backbone.pretrain import Pretraining, pretrain, save
from shiftgym.models.chat import ChatFormat
from shiftgym.models.generate import ModelPolicy
from shiftgym.models.load import load_policy
from shiftgym.tasks.registry import build_task


@dataclass(frozen=True)
class Kind:
    """The backbone of one task."""

    corpus: Corpus
    plan: Pretraining
    splits: dict[str, dict[str, Any]]
    """What it is scored on: the splits of the task's shipped study."""
    problems: int
    """Problems of each split."""


KINDS = {
    "points": Kind(
        points.CORPUS,
        Pretraining(),
        {
            "train": {},
            "id": {"hands": "test"},
            "rule_ood": {"rule": "faces_as_11_12_13", "hands": "test", "faces": True},
        },
        problems=500,
    ),
    "navigation": Kind(
        navigation.CORPUS,
        Pretraining(
            vocabulary=640, steps=2500, careless_steps=500, tree=1024, chunk=256, tokenizer_problems=400,
        ),
        {"train": {}, "id": {"routes": "test"}, "rule_ood": {"rule": "relative", "routes": "test"}},
        problems=100,
    ),
}  # fmt: skip


def build(task: str, seed: int, out: Path | None, say: Callable[[str], None]) -> Path:
    """Build the backbone of `task`, or go on building it; returns the model directory.

    Args:
        seed: names the backbone, `points-0` for seed 0.
        out: where to write; the package's own weights by default. The state of an unfinished build is kept beside it.

    Raises:
        ConfigError: there is no backbone for this task.
    """
    if task not in KINDS:
        raise ConfigError(f"backbone: unknown task {task!r}; there is a backbone for: {', '.join(KINDS)}")
    kind = KINDS[task]
    plan = kind.plan
    target = WEIGHTS / f"{task}-{seed}" if out is None else out
    work = target.with_name(f"{target.name}.unfinished")
    began = time.monotonic()

    def progress(step: int, loss: float) -> None:
        say(f"step {step} of {plan.all_steps}, loss {loss:.3f}, {(time.monotonic() - began) / 60:.1f} min")

    model = pretrain(kind.corpus, seed, work, plan, progress)
    save(model, work, target)
    say(f"scoring on {kind.problems} problems a split")
    scores = score(str(target), task)
    (target / "README.md").write_text(card(target.name, task, seed, model.num_parameters(), scores))
    shutil.rmtree(work)
    return target


def score(model_name: str, task: str) -> Evaluation:
    """What the backbone does before any post-training."""
    model, tokenizer = load_policy(model_name)
    form = ChatFormat(tokenizer, model.generation_config)
    return evaluate(
        lambda decoding: ModelPolicy(
            model, form, temperature=0.0 if decoding == "greedy" else 1.0, max_new_tokens=96, seed=0
        ),
        build_task(task, splits=KINDS[task].splits),
        splits=list(KINDS[task].splits),
        problems=KINDS[task].problems,
        decodings=["sampled", "greedy"],
        origin={},
    )


def card(name: str, task: str, seed: int, parameters: int, scores: Evaluation) -> str:
    """The model card: what it is, exactly what it has seen, what it scores."""
    kind = KINDS[task]
    table: list[dict[str, Any]] = []
    for split in kind.splits:
        for decoding in ("sampled", "greedy"):
            rows = [row for row in scores.rows if row["split"] == split and row["decoding"] == decoding]
            measures: dict[str, float | None] = {}
            for key in ("success_1", "success", "valid", "translated", "perseverated"):
                values = [row[key] for row in rows if row[key] is not None]
                measures[key] = fmean(values) if values else None
            table.append({"split": split, "decoding": decoding, **measures})
    text = (Path(__file__).parent / f"card-{task}.md.j2").read_text()
    filled: str = Template(text, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True).render(
        name=name,
        seed=seed,
        plan=kind.plan,
        parameters=parameters,
        habits=kind.corpus.habits,
        careless=kind.corpus.careless,
        table=table,
        problems=kind.problems,
    )
    return filled
