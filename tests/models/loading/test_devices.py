"""Names of devices, on a machine that torch sees no, one or two GPUs of."""

import pytest
import torch

from shiftgym.errors import ConfigError
from shiftgym.models.loading.devices import torch_device


@pytest.fixture
def count(monkeypatch):
    """Let torch find so many GPUs."""

    def found(number):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: number > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: number)

    return found


@pytest.mark.parametrize(
    ("gpus", "name", "device"),
    [
        (0, "auto", "cpu"),
        (0, "cpu", "cpu"),
        (1, "auto", "cuda"),
        (1, "cpu", "cpu"),
        (1, "cuda", "cuda"),
        (2, "cuda:1", "cuda:1"),
    ],
)
def test_what_a_name_stands_for(count, gpus, name, device):
    count(gpus)
    assert torch_device(name) == torch.device(device)


@pytest.mark.parametrize(
    ("gpus", "name", "known"),
    [(0, "cuda", "auto, cpu"), (1, "cuda:1", "auto, cpu, cuda:0"), (0, "cuda:0", "auto, cpu")],
)
def test_a_device_that_is_not_there_is_one_line(count, gpus, name, known):
    count(gpus)
    with pytest.raises(ConfigError, match=f"^device '{name}': torch .* finds no such GPU; known are {known}$"):
        torch_device(name)


def test_another_name_is_no_device():
    with pytest.raises(ConfigError, match="^device: should be auto, cpu, cuda, or cuda:N for GPU N, not 'mps'$"):
        torch_device("mps")
