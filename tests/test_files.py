"""Files are whole or not there, whatever happens to their writer."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError, DataError
from shiftgym.files import (
    append_lines,
    link_folder,
    make_folder,
    read_json,
    read_lines,
    read_log,
    replacing,
    write_lines,
    write_text,
)

KILLED = """
import sys, time
from pathlib import Path
from shiftgym.files import replacing
with replacing(Path(sys.argv[1])) as unfinished:
    unfinished.write_text("half")
    time.sleep(60)
"""


def test_a_killed_writer_leaves_the_file_as_it_was_and_the_next_one_finishes(tmp_path):
    path = tmp_path / "report.html"
    write_text(path, "whole")
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)]) as process:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert path.read_text() == "whole"
    write_text(path, "new")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("report.html", "new")]


def test_an_exception_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "rows.jsonl"
    write_lines(path, [{"a": 1}])
    with pytest.raises(TypeError):
        write_lines(path, [{"a": 2}, {"a": object()}])
    assert list(read_lines(path)) == [{"a": 1}]


def write_folder(path, text):
    with replacing(path) as unfinished:
        unfinished.mkdir()
        (unfinished / "state").write_text(text)
        if text == "half":
            raise KeyboardInterrupt


def test_a_whole_folder_is_moved_into_place(tmp_path):
    path = tmp_path / "deep" / "step-1"
    write_folder(path, "one")
    assert (path / "state").read_text() == "one"
    with pytest.raises(OSError, match="not empty"):
        write_folder(path, "two")
    assert (path / "state").read_text() == "one"


def test_what_an_interrupted_writer_of_a_folder_left_is_removed(tmp_path):
    path = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        write_folder(path, "half")
    assert not path.exists()
    write_folder(path, "whole")
    assert (path / "state").read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_json_lines(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert list(read_lines(path)) == []
    write_lines(path, [{"a": "é"}])
    append_lines(path, [{"a": 2}, {"a": 3}])
    assert list(read_lines(path)) == [{"a": "é"}, {"a": 2}, {"a": 3}]


@pytest.mark.parametrize(("text", "message"), [("{", "no valid JSON"), ("[]", "a JSON object was expected")])
def test_what_is_no_json_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n' + text + "\n")
    with pytest.raises(DataError, match=rf"rows\.jsonl:2: {message}"):
        list(read_lines(path))
    path.write_text(text)
    with pytest.raises(DataError, match=rf"rows\.jsonl: {message}"):
        read_json(path)


def test_half_a_line_at_the_end_of_a_log_is_left_out(tmp_path):
    path = tmp_path / "log.jsonl"
    assert list(read_log(path)) == []
    path.write_text('{"a": 1}\n{"a": 2}\n{"a":')
    assert list(read_log(path)) == [{"a": 1}, {"a": 2}]
    path.write_text('{"a": 1}\n{"a":\n{"a": 3}\n')
    with pytest.raises(DataError, match="log.jsonl:2"):
        list(read_log(path))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match="no folder can be made there"):
            make_folder(path)


@pytest.mark.parametrize("refused", [False, True])
def test_a_folder_is_linked_or_else_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: bool) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(1, "no hard links here")

    if refused:
        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "from" / "deep").mkdir(parents=True)
    for name in ("a", "deep/b"):
        (tmp_path / "from" / name).write_text(name)
    link_folder(tmp_path / "from", tmp_path / "over" / "to")
    for name in ("a", "deep/b"):
        copy = tmp_path / "over" / "to" / name
        assert copy.read_text() == name
        assert copy.samefile(tmp_path / "from" / name) == (not refused)
