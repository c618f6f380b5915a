"""Work that this machine does in a process of its own, so that torch is not imported for it here."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shiftgym.engines.base import Call, Engine, Job, gpu_share, load_engine
from shiftgym.errors import ConfigError
from shiftgym.files import read_json
from shiftgym.following.logs import cause
from shiftgym.placement import Placement

IMPORTED = ("shiftgym.training.trainer", "shiftgym.models.loading.load", "transformers.models.llama.modeling_llama")
"""Modules that nearly every branch imports, torch included. They take seconds, which an engine may spend once for
all."""


def engine(workers: int | None, placement: Placement) -> Engine:
    """This machine, for what is measured here; by default with as many jobs side by side as it has room for.

    Raises:
        ConfigError: this machine has no such device.
    """
    return load_engine("local", workers=workers, imports=IMPORTED, placement=placement)


def in_own_process(work: Callable[..., None], *args: Any, where: Engine) -> Any:
    """What `work` writes as JSON to the file that is its last argument. torch is not imported here for it.

    Raises:
        ConfigError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="shiftgym-") as scratch:
        out, log = Path(scratch) / "found.json", Path(scratch) / "printed.txt"
        job = Job("measure", lambda: Call(work, (*args, out), log), gpus=gpu_share(where))
        if where.run([job], watch=lambda _: None)[job.name] != "done":
            raise ConfigError(f"the study cannot start: {cause(log)}")
        return read_json(out)
