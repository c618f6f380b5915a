"""Memory that torch freed but glibc keeps."""

import ctypes
from typing import Any

import pytest

from shiftgym.models import heap


@pytest.mark.parametrize(("most", "trimmed"), [(0, True), (2**60, False)])
def test_memory_is_handed_back_only_once_it_is_much(monkeypatch: pytest.MonkeyPatch, most: int, trimmed: bool) -> None:
    calls: list[int] = []

    class Libc:
        @staticmethod
        def malloc_trim(pad: int) -> None:
            calls.append(pad)

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Libc)
    monkeypatch.setattr(heap, "MOST_RESIDENT", most)
    heap.hand_back()
    assert calls == ([0] if trimmed else [])


def test_where_glibc_is_not_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    nothing: Any = heap.hand_back()  # type: ignore[func-returns-value]
    assert nothing is None
