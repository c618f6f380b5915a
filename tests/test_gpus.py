"""GPUs are counted without torch: by nvidia-smi, whose place a script takes here, and as CUDA_VISIBLE_DEVICES says."""

import importlib
import sys

import pytest

from shiftgym import gpus
from shiftgym.gpus import gpu_environment, in_words, visible_gpus

TORCH_HAS_CUDA = gpus.torch_has_cuda

PARTITIONED = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaaa1111)
  MIG 3g.40gb     Device  0: (UUID: MIG-1111)
  MIG 3g.40gb     Device  1: (UUID: MIG-2222)"""


def test_every_gpu_is_visible_unless_the_environment_says_so(nvidia_smi):
    nvidia_smi(3)
    assert [gpu.name for gpu in visible_gpus()] == ["0", "1", "2"]
    assert {gpu.model for gpu in visible_gpus()} == {"NVIDIA H200"}


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("2,0", ["2", "0"]),
        (" 1 ", ["1"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("1,7,0", ["1"]),  # CUDA ignores what follows an entry that names no GPU.
        ("GPU-uuid-2,0", ["GPU-uuid-2", "0"]),
    ],
)
def test_the_environment_chooses_and_orders(nvidia_smi, monkeypatch, said, seen):
    nvidia_smi(3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    assert [gpu.name for gpu in visible_gpus()] == seen


def test_a_partitioned_gpu_is_used_by_its_parts(nvidia_smi, monkeypatch):
    nvidia_smi(PARTITIONED)
    assert [gpu.name for gpu in visible_gpus()] == ["MIG-1111", "MIG-2222"]
    assert visible_gpus()[0].model == "NVIDIA H100 80GB HBM3 MIG 3g.40gb"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-2222")
    assert [gpu.name for gpu in visible_gpus()] == ["MIG-2222"]


def test_nothing_is_found_where_nvidia_smi_fails(nvidia_smi):
    nvidia_smi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", code=9)
    assert visible_gpus() == []


def test_a_torch_without_cuda_sees_none(nvidia_smi, monkeypatch, tmp_path):
    nvidia_smi(1)
    monkeypatch.setattr(gpus, "torch_has_cuda", TORCH_HAS_CUDA)
    (tmp_path / "torch" / "lib").mkdir(parents=True)
    (tmp_path / "torch" / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    importlib.invalidate_caches()
    assert visible_gpus() == []
    (tmp_path / "torch" / "lib" / "libtorch_cuda.so").touch()
    assert len(visible_gpus()) == 1


def test_the_driver_is_asked_where_there_is_no_nvidia_smi(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(gpus, "DRIVER", tmp_path)
    monkeypatch.setattr(gpus, "torch_has_cuda", lambda: True)
    assert visible_gpus() == []
    for bus in ("0000:1a:00.0", "0000:3b:00.0"):
        path = tmp_path / "gpus" / bus / "information"
        path.parent.mkdir(parents=True)
        path.write_text(f"Model: \t\t NVIDIA A100\nIRQ:   \t\t 17\nGPU UUID: \t GPU-{bus}\nBus Type: \t PCIe\n")
    assert [(gpu.name, gpu.model, gpu.uuid) for gpu in visible_gpus()] == [
        ("0", "NVIDIA A100", "GPU-0000:1a:00.0"),
        ("1", "NVIDIA A100", "GPU-0000:3b:00.0"),
    ]


def test_they_are_told_in_words(nvidia_smi):
    assert in_words(visible_gpus()) == "the CPU"
    nvidia_smi(1)
    assert in_words(visible_gpus()) == "NVIDIA H200"
    nvidia_smi(3)
    assert in_words(visible_gpus()) == "3 x NVIDIA H200"


def test_what_is_recorded_of_them(nvidia_smi, monkeypatch):
    nvidia_smi(2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    found = gpu_environment(visible_gpus())
    assert found == {"devices": ["NVIDIA H200"], "memory_mib": [143771], "driver": "570.1", "cuda": found["cuda"]}
