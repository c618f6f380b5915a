"""What may be judged: a model, an adapter, an endpoint, a policy, or a folder of checkpoints that any trainer wrote."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from shiftgym.errors import ConfigError
from shiftgym.files import read_json
from shiftgym.layout import CheckpointFolder
from shiftgym.models.loading.shipped import GGUF, HUB_ID, backbones, is_local
from shiftgym.policies.endpoint import endpoint_address, is_endpoint
from shiftgym.reading import nearest

if TYPE_CHECKING:
    from shiftgym.models.resolve import PolicyLike

BASE = "init"
"""The branch of BASE in rows, as that of the start is called in a study."""

_CHECKPOINT = re.compile(r"(?:checkpoint|ckpt|global_step|step|iter)[-_]?(\d+)(?:_hf)?")
"""Names of checkpoint folders: those of transformers and TRL, verl, OpenRLHF, this project, and others alike."""

_INSIDE = ("", "actor/huggingface", "huggingface", "actor", "policy", "model", "hf")
"""Where in its folder a trainer may put the model, in the order of preference."""

WEIGHTS = (".safetensors", ".bin", GGUF)
NO_MODEL = {"trainer_state.json", "training_args.bin", CheckpointFolder(Path()).state.name}
"""Files beside a model that say nothing about it."""

PLAIN = {"checkpoints", "huggingface", "actor", "policy", "model", "hf"}
"""Names of folders that say nothing about what was trained."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One model that answers."""

    source: str
    """A backbone, a directory, a GGUF file, `owner/name` with an optional `@revision`, or `URL#MODEL`."""
    step: int = 0
    """Optimizer steps since BASE; 0 where they are not known."""
    flops: float | None = None
    """FLOPs of training since BASE; None where nobody declared them."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the models that are compared, at one checkpoint or at several."""

    key: str
    """Its branch in rows, and the name of its folder. That of BASE is `init`."""
    label: str
    """What it is called in tables and sentences."""
    checkpoints: tuple[Checkpoint, ...]
    """In the order of steps. The last one is judged, the others show how it came there."""
    chat_template: str | None = None
    """A digest of its chat template, once it has answered; None where it has none."""
    policy: "PolicyLike | None" = field(default=None, compare=False)
    """What answers, where it was given as an object and not by name."""


def find_candidates(
    given: Sequence["PolicyLike"],
    labels: Sequence[str] = (),
    *,
    served: str | None = None,
    flops_per_step: float | None = None,
) -> list[Candidate]:
    """BASE and then everything that is compared with it.

    Args:
        given: BASE first. A name, or in Python also a policy or a pair from `load_policy`.
        labels: what they are called, in the same order; names are made from the sources of the rest.
        served: the model of an endpoint that is given as a URL without `#MODEL`.
        flops_per_step: FLOPs of a training step of every folder of checkpoints, where its files do not say.

    Raises:
        ConfigError: something that was given is none of this, or a label occurs twice.
    """
    if len(given) < 2:
        raise ConfigError("compare: give BASE and at least one other model")
    if len(labels) > len(given):
        raise ConfigError(f"compare: {len(labels)} labels for {len(given)} models; give at most one each, BASE first")
    found = [_find(each, served, flops_per_step) for each in given]
    if len(found[0].checkpoints) > 1:
        last = found[0].checkpoints[-1].source
        raise ConfigError(f"compare: {given[0]} holds several checkpoints and cannot be BASE; give one, such as {last}")
    called = [*labels, *_short_names([each.label for each in found])[len(labels) :]]
    if twice := [label for label, times in Counter(labels).items() if times > 1]:
        raise ConfigError(f"compare: the label {twice[0]!r} is given twice; give every model its own")
    named = _distinct(called)
    keys = _distinct([re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip("-.") or "model" for label in named[1:]], {BASE})
    return [replace(each, key=key, label=label) for each, key, label in zip(found, [BASE, *keys], named, strict=True)]


def _find(given: "PolicyLike", served: str | None, flops_per_step: float | None) -> Candidate:
    """The candidate, labelled with its whole source."""
    if not isinstance(given, str | Path):
        called = str(given[0].name_or_path) if isinstance(given, tuple) else type(given).__name__
        return Candidate("", called, (Checkpoint(called),), policy=given)
    name = str(given)
    if is_endpoint(name):
        url, model = endpoint_address(name, served if "#" not in name else None)
        source = f"{url}#{model}"
        return Candidate("", model, (Checkpoint(source),))
    if Path(name).is_dir():
        checkpoints = _in_directory(Path(name).resolve(), flops_per_step)
        return Candidate("", str(Path(name).resolve()), tuple(checkpoints))
    if is_local(name):
        path = str(Path(name).resolve())
        return Candidate("", path, (Checkpoint(path),))
    if name in backbones() or name == "expert" or HUB_ID.fullmatch(name):
        return Candidate("", name, (Checkpoint(name),))
    raise ConfigError(
        f"compare: {name!r} is no directory, backbone, hub id owner/name or URL of an endpoint"
        f"{nearest(name, backbones())}"
    )


def _in_directory(folder: Path, flops_per_step: float | None) -> list[Checkpoint]:
    """The model of a directory, or those of the checkpoints in it. A model beside checkpoints is where they end; if
    it is not the last of them and its step is not written down, it counts as one step after it."""
    own = _model_in(folder)
    within = folder / "checkpoints" if (folder / "checkpoints").is_dir() else folder
    # Of two folders for one step, such as the shards of a trainer beside the model made from them, one holds a model.
    models: dict[int, Path] = {}
    sharded = None
    for path in sorted(within.iterdir()):
        name = _CHECKPOINT.fullmatch(path.name)
        if name is None or not path.is_dir():
            continue
        if (model := _model_in(path)) is not None:
            models[int(name[1])] = model
        elif any(path.rglob("*_world_size_*_rank_*.pt")):
            sharded = path
    if sharded is not None and not models:
        raise ConfigError(
            f"{sharded}: holds the shards of a training, not a model; merge them first, as with `python -m "
            "verl.model_merger merge`, or let the trainer save whole models"
        )
    if own is not None:
        if not models:
            step = next((int(name[1]) for part in own.parts[:-3:-1] if (name := _CHECKPOINT.fullmatch(part))), 0)
            return [Checkpoint(str(own), step, _flops(own, own, step, flops_per_step))]
        last = max(models)
        steps = _steps(folder)
        if _has_weights(own) and (steps > last or _digest(own, WEIGHTS) != _digest(models[last], WEIGHTS)):
            models[max(steps, last + 1)] = own
    if not models:
        raise ConfigError(
            f"{folder}: holds neither a model (config.json), nor an adapter (adapter_config.json), nor checkpoints "
            "(folders such as checkpoint-100, step-000100, global_step_100)"
        )
    return [
        Checkpoint(str(model), step, _flops(within, model, step, flops_per_step))
        for step, model in sorted(models.items())
    ]


def _model_in(folder: Path) -> Path | None:
    """Where the model of a checkpoint folder lies, if it holds one."""
    for inside in _INSIDE:
        at = folder / inside
        if (at / "adapter_config.json").is_file():
            return at
        # The folder itself is taken without weights too, so that loading says which files are missing.
        whole = (at / "config.json").is_file() and (not inside or _has_weights(at))
        if whole or any(at.glob(f"*{GGUF}")):
            return at
    return None


def _has_weights(folder: Path) -> bool:
    return any(path.suffix in WEIGHTS and path.name not in NO_MODEL for path in folder.iterdir())


def _steps(folder: Path) -> int:
    """The step that the trainer of transformers has written down; 0 if it has not."""
    path = folder / "trainer_state.json"
    return int(read_json(path).get("global_step") or 0) if path.is_file() else 0


def _flops(within: Path, model: Path, step: int, per_step: float | None) -> float | None:
    """FLOPs of training up to a checkpoint: those of this project's ledger, those that the trainer of transformers has
    counted, or those that the caller has declared."""
    for folder in (model, *model.parents):
        if (state := CheckpointFolder(folder).state).is_file() and "ledger" in (record := read_json(state)):
            return float(record["ledger"]["forward_flops"] + record["ledger"]["backward_flops"])
        if (state := folder / "trainer_state.json").is_file() and (counted := read_json(state).get("total_flos")):
            return float(counted)
        if folder == within:
            break
    return None if per_step is None else step * per_step


def _short_names(sources: Sequence[str]) -> list[str]:
    """The end of each path that tells it from the others, as in `sft/checkpoint-100`; other names as they are."""
    parts = [Path(each).parts if Path(each).is_absolute() else (each,) for each in sources]
    short = []
    for index, own in enumerate(parts):
        others = {each for at, each in enumerate(parts) if at != index and each != own}
        length = next(
            (n for n in range(1, len(own)) if all(each[-n:] != own[-n:] for each in others) and not _plain(own[-n])),
            len(own),
        )
        short.append("/".join(own[-length:]))
    return short


def _plain(part: str) -> bool:
    """Whether a folder name says nothing about what was trained."""
    return _CHECKPOINT.fullmatch(part) is not None or part in PLAIN


def _distinct(names: Sequence[str], taken: set[str] | None = None) -> list[str]:
    """The names, each with a number where it occurs again."""
    found: list[str] = []
    for name in names:
        number, new = 1, name
        while new in found or new in (taken or ()):
            number += 1
            new = f"{name}-{number}"
        found.append(new)
    return found


def fingerprint(checkpoint: Checkpoint) -> str | None:
    """A digest that changes with the files of a model directory, or with a GGUF file; None for what is neither."""
    return _digest(Path(checkpoint.source), (*WEIGHTS, ".json", ".jinja", ".model")) if _on_disk(checkpoint) else None


def gone(checkpoint: Checkpoint) -> bool:
    """Whether it was given as a directory or a file that is not there any more."""
    return Path(checkpoint.source).is_absolute() and not _on_disk(checkpoint)


def _on_disk(checkpoint: Checkpoint) -> bool:
    return Path(checkpoint.source).is_absolute() and is_local(checkpoint.source)


def _digest(model: Path, endings: Sequence[str]) -> str:
    """Of each file only the size, the beginning and the end are read, which suffices to notice another model."""
    digest = sha256()
    for path in sorted(model.iterdir()) if model.is_dir() else [model]:
        if path.suffix in endings and path.name not in NO_MODEL:
            size = path.stat().st_size
            with path.open("rb") as file:
                digest.update(f"{path.name} {size}".encode())
                digest.update(file.read(1 << 20))
                file.seek(max(0, size - (1 << 20)))
                digest.update(file.read())
    return digest.hexdigest()
