"""What a machine is, and whether it can carry out the branches of a study. These functions run on every machine that
does."""

import os
import platform
import shutil
import socket
import time
import uuid
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from shiftgym.engines.base import Engine
from shiftgym.errors import ConfigError
from shiftgym.files import link_file, replacing, write_text
from shiftgym.gpus import gpu_environment, visible_gpus
from shiftgym.layout import RunFolder
from shiftgym.models.loading.source import find_source
from shiftgym.studies.config import Study
from shiftgym.tasks.registry import load_task
from shiftgym.training.registry import load_recipe

RECORDED = ("shiftgym", "torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy", "peft", "bitsandbytes")
"""Packages whose version may change a result."""

ALIKE = ("shiftgym", "torch", "transformers")
"""Packages that all machines of a run must have in the same version."""

SHARED = "the run folder must be on a file system that all machines share (--runs FOLDER)"
"""What is to be done about a machine that has another folder under its name."""

SEEN = ".seen-"
"""How files begin by which machines show that they write into the run folder."""

PATIENCE = 30.0
"""Seconds within which one machine sees what another one wrote, on a network file system."""

POLL = 0.2
"""Seconds between two looks for it."""


def describe() -> dict[str, Any]:
    """This machine, as environment.json records it."""
    gpus = visible_gpus()
    return {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        **({"gpus": gpu_environment(gpus)} if gpus else {}),
        "python": platform.python_version(),
        "packages": versions(),
    }


def versions() -> dict[str, str | None]:
    """The versions of the packages that may change a result; None of one that is not installed."""
    return {name: _version(name) for name in RECORDED}


def get_ready(study: Study, run: RunFolder, where: Engine, *, loads: bool) -> tuple[Study, list[dict[str, Any]]]:
    """Check every machine of an engine before any branch starts there, and bring it the model if it cannot find it.

    Args:
        loads: whether any branch will load the study's model on a machine where nobody has looked for it.

    Returns:
        The study with the model as all machines find it, and what each machine is.

    Raises:
        ConfigError: a machine does not see the run folder, has other versions, or misses a module or the model.
    """
    if loads and any(missing for _, missing in where.ask(missing_model, study.model)):
        study = study.model_copy(update={"model": str(_brought(study.model, run))})
    forget_answers(run)
    token = uuid.uuid4().hex
    write_text(run.token, token)
    path = run.path.absolute()
    names = {study.task.name: "task", **{t.recipe: "recipe" for t in (study.init, *study.branches.values())}}
    expected = {"Python": platform.python_version(), **{name: _version(name) for name in ALIKE}}
    machines = []
    for address, told in where.require(
        check_machine, path, token, expected, names, study.model if loads else None, study.device
    ):
        seen = path / told.pop("seen")
        if not _appears(seen, token):
            raise ConfigError(f"node {address}: what it writes to {path} is not seen here; {SHARED}")
        seen.unlink()
        machines.append({"address": address, **told})
    return study, machines


def forget_answers(run: RunFolder) -> None:
    """Remove what the run folder holds only for machines to show that they see it. A machine that joins late leaves
    something there too."""
    for file in (run.token, *run.path.glob(f"{SEEN}*")):
        file.unlink(missing_ok=True)


def check_machine(
    run: Path, token: str, expected: Mapping[str, str | None], names: Mapping[str, str], model: str | None, device: str
) -> dict[str, Any]:
    """What this machine is, and the name of a file that it has written into the run folder.

    Args:
        run: the run folder.
        token: what its token file holds.
        expected: package or `Python` -> its version where the study was started; None: it is not installed.
        names: task or recipe by its name -> which of them it is.
        model: a model that it must find.
        device: what models run on, `cpu` or `cuda`.

    Raises:
        ConfigError: it cannot carry out branches of this run.
    """
    if not _appears(RunFolder(run).token, token):
        raise ConfigError(f"{run} is not the run folder here; {SHARED}")
    there = {"Python": platform.python_version(), **{name: _version(name) for name in ALIKE}}
    differ = [
        f"{name} {there[name]} and not {wanted}"
        for name, wanted in expected.items()
        if _alike(name, there[name]) != _alike(name, wanted)
    ]
    if differ:
        raise ConfigError(f"it has {', '.join(differ)}, as where the study was started; install the same versions")
    if device == "cuda" and not visible_gpus():
        raise ConfigError(
            "it is to run models on a GPU, and no GPU is found there, or its torch was built without CUDA"
        )
    for name, what in names.items():
        (load_task if what == "task" else load_recipe)(name)
    if model is not None:
        find_source(model)
    seen = f"{SEEN}{uuid.uuid4().hex}"
    write_text(run / seen, token)
    return {**describe(), "seen": seen}


def missing_model(name: str, weights: bool = True) -> str:
    """Why this machine does not find a model, or its configuration if it needs no weights; empty if it does."""
    try:
        find_source(name, weights=weights)
    except ConfigError as error:
        return str(error)
    return ""


def _brought(name: str, run: RunFolder) -> Path:
    """A copy of a model in the run folder, for machines that do not have it."""
    source = find_source(name)
    if source.gguf is not None:
        copy = run.model / source.gguf.name
        if not copy.is_file():
            with replacing(copy) as unfinished:
                link_file(source.gguf, unfinished)
        return copy.absolute()
    if not run.model.is_dir():
        with replacing(run.model) as unfinished:
            shutil.copytree(source.folder, unfinished)
    return run.model.absolute()


def _appears(path: Path, text: str) -> bool:
    """Whether a file with this text is there, or appears."""
    until = time.monotonic() + PATIENCE
    while not (path.is_file() and path.read_text(encoding="utf-8") == text):
        if time.monotonic() > until or not path.parent.is_dir():
            return False
        time.sleep(POLL)
    return True


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _alike(name: str, version: str | None) -> str | None:
    """What of a version must be the same: of Python the first two numbers, of a package all but how it was built."""
    if version is None:
        return None
    return ".".join(version.split(".")[:2]) if name == "Python" else version.partition("+")[0]
