"""Variables that stand in the environment for a while."""

import os
from contextlib import suppress

import pytest

from shiftgym.engines.environment import environment


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIFTGYM_ONE", "7")
    monkeypatch.delenv("SHIFTGYM_TWO", raising=False)
    with suppress(KeyError), environment({"SHIFTGYM_ONE": "1", "SHIFTGYM_TWO": "2"}):
        assert (os.environ["SHIFTGYM_ONE"], os.environ["SHIFTGYM_TWO"]) == ("1", "2")
        raise KeyError
    assert os.environ["SHIFTGYM_ONE"] == "7"
    assert "SHIFTGYM_TWO" not in os.environ
