"""Building a backbone: pretraining, its scores, its model card; or, for `smollm2`, writing out what others trained.

shiftgym backbone points --seed 0        # writes src/shiftgym/backbones/weights/points-0
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from jinja2 import Template

from shiftgym.backbones import navigation, points
from shiftgym.backbones.corpus import Corpus
from shiftgym.backbones.pretrain import Pretraining, pretrain, save
from shiftgym.backbones.smollm2 import write_smollm2
from shiftgym.backbones.vision import Encoder
from shiftgym.errors import ConfigError
from shiftgym.evaluation.evaluate import Evaluation, evaluate
from shiftgym.files import replacing
from shiftgym.models.loading.shipped import MADE, WEIGHTS, backbone_folder
from shiftgym.tasks.registry import build_task


@dataclass(frozen=True)
class Kind:
    """The backbone of one task, in text or in pictures."""

    task: str
    options: dict[str, Any]
    """Settings of the whole task."""
    corpus: Corpus
    plan: Pretraining
    splits: dict[str, dict[str, Any]]
    """What it is scored on: the splits of the task's shipped study."""
    problems: int
    """Problems of each split."""


KINDS = {
    "points": Kind(
        "points",
        {},
        points.CORPUS,
        Pretraining(),
        {
            "train": {},
            "id": {"hands": "test"},
            "rule_ood": {"rule": "faces_as_11_12_13", "hands": "test", "faces": True},
        },
        problems=500,
    ),
    "points-vision": Kind(
        "points",
        {"modality": "vision", "size": points.SIZE},
        points.SEEN,
        Pretraining(steps=1500, careless_steps=300, encoder=Encoder("points", points.SIZE)),
        {
            "train": {"look": "black"},
            "id": {"look": "black", "hands": "test"},
            "rule_ood": {"look": "black", "rule": "faces_as_11_12_13", "hands": "test", "faces": True},
            "look_ood": {"look": "red", "hands": "test"},
        },
        problems=300,
    ),
    "navigation": Kind(
        "navigation",
        {},
        navigation.CORPUS,
        Pretraining(
            vocabulary=640, steps=2500, careless_steps=500, tree=1024, chunk=256, tokenizer_problems=400,
        ),
        {"train": {}, "id": {"routes": "test"}, "rule_ood": {"rule": "relative", "routes": "test"}},
        problems=100,
    ),
    "navigation-vision": Kind(
        "navigation",
        {"modality": "vision", "size": navigation.SIZE},
        navigation.SEEN,
        Pretraining(
            steps=2000, careless_steps=300, tree=1024, chunk=32, encoder=Encoder("navigation", navigation.SIZE),
        ),
        {
            "train": {},
            "id": {"routes": "test"},
            "rule_ood": {"rule": "relative", "routes": "test"},
            "look_ood": {"city": "all_but_new_york", "routes": "test"},
        },
        problems=60,
    ),
}  # fmt: skip


def build(name: str, seed: int, out: Path | None, say: Callable[[str], None]) -> Path:
    """Build the backbone of that name in `KINDS` or `MADE`, or go on building it; returns the model directory.

    Args:
        seed: names the backbone, `points-0` for seed 0. One of `MADE` is not trained here and has no seed.
        out: where to write; by default the package's own weights, or for one of `MADE` the user's cache. The state of
            an unfinished build is kept beside it.

    Raises:
        ConfigError: there is no such backbone, what it is made from is not there, or something is there already where
            it is to be written.
    """
    if name not in (*KINDS, *MADE):
        raise ConfigError(f"backbone: unknown name {name!r}; backbones are: {', '.join((*KINDS, *MADE))}")
    target = out or (backbone_folder(name) if name in MADE else WEIGHTS / f"{name}-{seed}")
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise ConfigError(f"backbone {name}: {target} is there already; remove it or choose another folder by --out")
    if name in MADE:
        with replacing(target) as unfinished:
            write_smollm2(unfinished)
    else:
        _pretrained(name, seed, target, say)
    return target


def _pretrained(name: str, seed: int, target: Path, say: Callable[[str], None]) -> None:
    """Train, score and write the backbone of that name in `KINDS`, or go on with it."""
    kind = KINDS[name]
    plan = kind.plan
    work = target.with_name(f"{target.name}.unfinished")
    began = time.monotonic()

    def progress(step: int, loss: float) -> None:
        say(f"step {step} of {plan.all_steps}, loss {loss:.3f}, {(time.monotonic() - began) / 60:.1f} min")

    model, chat_format = pretrain(kind.corpus, seed, work, plan, progress)
    with replacing(target) as unfinished:
        save(model, chat_format, unfinished)
        say(f"scoring on {kind.problems} problems a split")
        scores = score(str(unfinished), kind)
        written = card(target.name, name, seed, model.num_parameters(), scores)
        (unfinished / "README.md").write_text(written, encoding="utf-8")
    shutil.rmtree(work)


def score(model_name: str, kind: Kind) -> Evaluation:
    """What the backbone does before any post-training."""
    return evaluate(model_name, build_task(kind.task, options=kind.options, splits=kind.splits), problems=kind.problems)


def card(name: str, of: str, seed: int, parameters: int, scores: Evaluation) -> str:
    """The model card: what it is, exactly what it has seen, what it scores."""
    kind = KINDS[of]
    table: list[dict[str, Any]] = []
    for split in kind.splits:
        for decoding in ("sampled", "greedy"):
            rows = [row for row in scores.rows if row["split"] == split and row["decoding"] == decoding]
            measures: dict[str, float | None] = {}
            for key in ("success_1", "success", "valid", "translated", "perseverated", "recognised"):
                values = [row[key] for row in rows if row[key] is not None]
                measures[key] = fmean(values) if values else None
            table.append({"split": split, "decoding": decoding, **measures})
    text = (Path(__file__).parent / f"card-{of}.md.j2").read_text()
    filled: str = Template(text, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True).render(
        name=name,
        of=of,
        seed=seed,
        plan=kind.plan,
        parameters=parameters,
        habits=kind.corpus.habits,
        careless=kind.corpus.careless,
        table=table,
        problems=kind.problems,
    )
    return filled
