"""Work in a process of its own on this machine."""

import json
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.placement import Placement
from shiftgym.studies.own_process import engine, in_own_process


def halve(number: int, out: Path) -> None:
    if number % 2:
        raise ConfigError(f"{number} is odd")
    out.write_text(json.dumps({"half": number // 2}))


def test_what_is_written_comes_back_and_an_error_is_one_line() -> None:
    here = engine(1, Placement(device="cpu"))
    assert in_own_process(halve, 8, where=here) == {"half": 4}
    with pytest.raises(ConfigError, match="^the study cannot start: 7 is odd$"):
        in_own_process(halve, 7, where=here)
