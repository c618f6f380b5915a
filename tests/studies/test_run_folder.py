"""The folder of a run: made once, and held by one process."""

import errno
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.layout import RunFolder
from shiftgym.studies.run_folder import new_folder, only_one


def test_a_folder_for_runs_that_cannot_be_made_is_one_line(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ConfigError, match=f"{file}: no run folder can be made there: Not a directory"):
        new_folder(file, "study")


def test_a_file_system_without_locks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    run = RunFolder(tmp_path)
    with only_one(run):
        with pytest.raises(ConfigError, match="another process is working on this run"), only_one(run):
            pass
        monkeypatch.setattr("fcntl.flock", refuse)
        with (
            pytest.raises(ConfigError, match=r"\.lock: its file system gives no lock"),
            only_one(run),
        ):
            pass
