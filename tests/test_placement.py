"""Where a model runs: what may be said of it, and which GPUs that means."""

import pytest

from shiftgym.errors import ConfigError
from shiftgym.placement import Placement


def names(device):
    return [gpu.name for gpu in Placement(device=device).gpus()]


def test_auto_finds_a_gpu_and_else_the_cpu(nvidia_smi):
    assert names("auto") == names("cpu") == []
    nvidia_smi(2)
    assert names("auto") == names("cuda") == ["0", "1"]
    assert names("cuda:1") == ["1"]
    assert names("cpu") == []


def test_the_number_counts_those_that_are_visible(nvidia_smi, monkeypatch):
    nvidia_smi(3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    assert names("cuda:0") == ["2"]
    assert names("cuda:1") == ["0"]


@pytest.mark.parametrize(
    ("count", "device", "said"),
    [
        (0, "cuda", "no GPU is found here"),
        (0, "cuda:0", "no GPU is found here"),
        (2, "cuda:2", "known are cuda:0, cuda:1$"),
    ],
)
def test_a_gpu_that_is_not_there_is_told(nvidia_smi, count, device, said):
    nvidia_smi(count)
    with pytest.raises(ConfigError, match=f"device '{device}': .*{said}") as caught:
        Placement(device=device).gpus()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", "", "cpu\n"])
def test_another_name_is_no_device(device):
    with pytest.raises(ValueError, match="should be auto, cpu, cuda, or cuda:N"):
        Placement(device=device)


def test_options_that_were_not_given_stay_as_the_study_says():
    given = Placement.chosen(device="cuda:1", dtype=None, gradient_checkpointing=True, attention=None)
    assert given.overrides == ['device="cuda:1"', "gradient_checkpointing=true"]
    assert Placement().overrides == []


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ({"dtype": "bf16"}, "--dtype: unknown value 'bf16'; did you mean 'bfloat16'?"),
        ({"device": "gpu"}, "--device: should be auto, cpu, cuda, or cuda:N for GPU N, not 'gpu'"),
    ],
)
def test_a_wrong_option_is_one_line(option, line):
    with pytest.raises(ConfigError) as caught:
        Placement.chosen(**option)
    assert str(caught.value) == line
