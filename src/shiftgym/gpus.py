"""The GPUs that a process may use, counted without torch: whoever initialises CUDA cannot hand GPUs out to others."""

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The environment variable that says which GPUs a process sees."""

DRIVER = Path("/proc/driver/nvidia")
"""What the driver tells of itself and of its GPUs, where nvidia-smi is not installed."""

_GPU = re.compile(r"GPU (?P<index>\d+): (?P<model>.+) \(UUID: (?P<uuid>GPU-[^)]+)\)")
_MIG = re.compile(r"\s+(?P<model>MIG .+?)\s+Device\s+\d+: \(UUID: (?P<uuid>MIG-[^)]+)\)")
"""The lines of `nvidia-smi -L`; a GPU that is partitioned is followed by its parts."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, or a part of a partitioned one."""

    name: str
    """What CUDA_VISIBLE_DEVICES calls it: its index, or a UUID."""
    model: str
    """Such as `NVIDIA H200`."""
    uuid: str
    """Empty where the driver does not tell it."""


def visible_gpus() -> list[Gpu]:
    """The GPUs that a process started from here would see, in CUDA's order.

    As CUDA does, this takes CUDA_VISIBLE_DEVICES up to the first entry that names no GPU. A torch that was built
    without CUDA sees none.
    """
    installed = _installed() if torch_has_cuda() else []
    chosen = os.environ.get(VISIBLE)
    if chosen is None:
        # A partitioned GPU is used by its parts.
        parts = [gpu for gpu in installed if gpu.name.startswith("MIG-")]
        return parts or installed
    found: list[Gpu] = []
    for entry in (entry.strip() for entry in chosen.split(",")):
        named = [gpu for gpu in installed if entry and (gpu.name == entry or gpu.uuid.startswith(entry))]
        if not named:
            break
        found.append(Gpu(entry, named[0].model, named[0].uuid))
    return found


def torch_has_cuda() -> bool:
    """Whether the torch that is installed was built with CUDA, by its libraries: importing it takes seconds."""
    found = importlib.util.find_spec("torch")
    folders = found.submodule_search_locations if found else None
    return any((Path(folder) / "lib" / "libtorch_cuda.so").exists() for folder in folders or ())


def in_words(gpus: Sequence[Gpu]) -> str:
    """Such as `2 x NVIDIA H200`; of none, `the CPU`."""
    models = Counter(gpu.model for gpu in gpus)
    return ", ".join(model if count == 1 else f"{count} x {model}" for model, count in models.items()) or "the CPU"


def gpu_environment(gpus: Sequence[Gpu]) -> dict[str, object]:
    """What environment.json records of these GPUs: their names, their memory, the driver, and the newest CUDA that
    the driver takes. None stands for what is not told."""
    memory = dict(_queried("uuid,memory.total"))
    drivers = {driver for _, driver in _queried("uuid,driver_version")}
    return {
        "devices": [gpu.model for gpu in gpus],
        "memory_mib": [int(told) if (told := memory.get(gpu.uuid, "")).isdigit() else None for gpu in gpus],
        "driver": next(iter(drivers), None),
        "cuda": _cuda_version(),
    }


def _installed() -> list[Gpu]:
    """Every GPU of this machine, and behind a partitioned one its parts."""
    if shutil.which("nvidia-smi") is None:
        told = [path.read_text(errors="replace") for path in sorted((DRIVER / "gpus").glob("*/information"))]
        return [
            Gpu(str(index), _value(text, "Model") or "unknown GPU", _value(text, "GPU UUID"))
            for index, text in enumerate(told)
        ]
    found = []
    for line in _nvidia_smi("-L"):
        if gpu := _GPU.fullmatch(line):
            found.append(Gpu(gpu["index"], gpu["model"], gpu["uuid"]))
        elif part := _MIG.fullmatch(line):
            found.append(Gpu(part["uuid"], f"{found[-1].model} {part['model']}", part["uuid"]))
    return found


def _value(information: str, key: str) -> str:
    """A value of the driver's `information` about a GPU; empty if it is not there."""
    found = re.search(rf"^{key}:\s*(.+?)\s*$", information, re.MULTILINE)
    return found[1] if found else ""


def _queried(fields: str) -> list[tuple[str, str]]:
    """Two fields of every GPU."""
    if shutil.which("nvidia-smi") is None:
        return []
    rows = [line.split(", ") for line in _nvidia_smi(f"--query-gpu={fields}", "--format=csv,noheader,nounits")]
    return [(row[0], row[1]) for row in rows if len(row) == 2]


def _nvidia_smi(*arguments: str) -> list[str]:
    """The lines that it prints; none if it fails, as it does where there is no GPU or no driver."""
    done = subprocess.run(["nvidia-smi", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def _cuda_version() -> str | None:
    """The newest CUDA that the driver takes, such as `12.8`. To ask does not initialise CUDA."""
    version = ctypes.c_int(0)
    try:
        ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
    except OSError:
        return None
    return f"{version.value // 1000}.{version.value % 1000 // 10}"
