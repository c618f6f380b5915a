"""Whatever is wrong with a run folder is one line."""

from pathlib import Path

from shiftgym.errors import DataError
from shiftgym.view.faults import FAULTS, in_a_line


def test_it_is_one_line():
    own, system, other = DataError("a file\nis broken"), PermissionError(13, "Not yours", "x"), KeyError("label")
    assert all(isinstance(error, FAULTS) for error in (own, system, other))
    assert in_a_line(Path("run"), own) == "a file is broken"
    assert in_a_line(Path("run"), system) == "[Errno 13] Not yours: 'x'"
    assert in_a_line(Path("run"), other) == "run: not what a run writes (KeyError: 'label')"


def test_every_page_can_hold_it():
    told = in_a_line(Path("run"), DataError("caf\udce9/study.toml: no valid TOML"))
    assert told == "caf?/study.toml: no valid TOML"
