"""`auto` is bfloat16 where the device computes in it."""

from types import SimpleNamespace

import pytest
import torch

from shiftgym.models.precision import training_dtype

CPU = torch.device("cpu")


def test_a_format_that_is_named_is_taken() -> None:
    assert training_dtype("float32", CPU) == torch.float32
    assert training_dtype("bfloat16", CPU) == torch.bfloat16


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_asks_the_processor(monkeypatch: pytest.MonkeyPatch, native: bool, expected: torch.dtype) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace(_is_mkldnn_bf16_supported=lambda: native))
    assert training_dtype("auto", CPU) == expected


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_asks_the_gpu(monkeypatch: pytest.MonkeyPatch, native: bool, expected: torch.dtype) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native or including_emulation)
    assert training_dtype("auto", torch.device("cuda")) == expected


def test_this_processor_can_be_asked() -> None:
    assert training_dtype("auto", CPU) in (torch.float32, torch.bfloat16)
