import os
import shutil

import pytest

from shiftgym.errors import DataError
from shiftgym.files import write_text
from shiftgym.following import lines as lines_module
from shiftgym.following.lines import Lines, New, finite, is_finite, last_lines, opened, parsed, read_object, tail


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def add(path, text):
    with path.open("a") as file:
        file.write(text)


def test_only_new_whole_lines_are_given(path):
    lines = Lines()
    assert lines.new(path).lines == []
    add(path, "1\n2\n3")
    assert lines.new(path).lines == [b"1", b"2"]
    assert lines.new(path).lines == []
    add(path, "3\n")
    found = lines.new(path)
    assert (found.lines, found.anew, found.more) == ([b"33"], False, False)


def test_a_file_is_read_in_parts_and_a_long_line_whole(path):
    lines, long = Lines(), "x" * 100
    add(path, f"1\n2\n{long}\n4\n")
    read = []
    while (found := lines.new(path, limit=4)).lines:
        read += found.lines
        assert found.more == (found.lines[-1] != b"4")
    assert read == [b"1", b"2", long.encode(), b"4"]


def test_half_a_line_alone_is_nothing_to_go_on_with(path):
    add(path, "12")
    found = Lines().new(path)
    assert (found.lines, found.more) == ([], False)


def test_a_file_that_was_cut_back_is_read_anew(path):
    lines = Lines()
    add(path, "1\n2\n3\n")
    lines.new(path)
    write_text(path, "1\n2\n")
    found = lines.new(path)
    assert (found.lines, found.anew) == ([b"1", b"2"], True)
    add(path, "4\n")
    found = lines.new(path)
    assert (found.lines, found.anew) == ([b"4"], False)


def test_another_file_that_begins_alike_goes_on(path):
    lines = Lines()
    add(path, "1\n2\n")
    lines.new(path)
    write_text(path, "1\n2\n3\n")
    found = lines.new(path)
    assert (found.lines, found.anew) == ([b"3"], False)


def test_another_file_that_begins_otherwise_is_read_anew(path):
    lines = Lines()
    add(path, "1\n2\n")
    lines.new(path)
    write_text(path, "9\n2\n3\n")
    found = lines.new(path)
    assert (found.lines, found.anew) == ([b"9", b"2", b"3"], True)


def test_the_same_lines_may_lie_elsewhere_the_next_time(path, tmp_path):
    lines, other = Lines(), tmp_path / "published.jsonl"
    add(path, "1\n2\n")
    lines.new(path)
    add(other, "1\n2\n3\n")
    assert lines.new(other).lines == [b"3"]


def test_the_end_of_a_file_is_read_alone(path):
    text = [f"{number:0100}" for number in range(9000)]
    add(path, "\n".join(text) + "\nhalf")
    assert last_lines(path, 3) == [line.encode() for line in text[-3:]]
    assert last_lines(path, 10_000) == [line.encode() for line in text]
    assert last_lines(path.with_name("none"), 3) == []
    assert tail(path, 8) == "99\nhalf"[-8:].rjust(8, "9")


def test_what_is_no_file_of_the_run_is_not_opened(path, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text('{"key": 1}\n')
    path.symlink_to(secret)
    os.mkfifo(tmp_path / "pipe")
    for place in (path, tmp_path / "pipe", tmp_path, tmp_path / "none", secret / "below"):
        assert opened(place) is None
        assert Lines().new(place).lines == [] and read_object(place) is None and tail(place, 9) == ""


def test_one_object_is_read_or_told_to_be_none(path):
    path.write_text('{"state": "done"}')
    assert read_object(path) == {"state": "done"}
    path.write_text("[]")
    with pytest.raises(DataError, match="JSON object was expected"):
        read_object(path)


def test_numbers_that_are_not_finite_become_none():
    assert finite({"a": [1, float("nan"), {"b": float("inf"), "c": "nan"}]}) == {
        "a": [1, None, {"b": None, "c": "nan"}]
    }


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b'{"a": 1.5, "b": null}', {"a": 1.5, "b": None}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b'{"a": "x\\ud83dy"}', {"a": "x?y"}),
        (b"[1]", None),
        (b'{"a": ', None),
        (b"\xff", None),
        (b"[" * 100_000, None),
        (b'{"a":' * 100_000, None),
        (b'{"a":' + b"[" * 400 + b"]" * 400 + b"}", None),
        (b'{"a": ' + b"9" * 5000 + b"}", None),
    ],
)
def test_a_line_is_an_object_or_nothing(line, value):
    assert parsed(line) == value


def test_a_line_longer_than_any_comes_in_pieces(path, monkeypatch):
    monkeypatch.setattr("shiftgym.following.lines.LARGEST", 8)
    add(path, "x" * 20 + "\n1\n")
    lines, read = Lines(), []
    while (found := lines.new(path, limit=4)).lines:
        read += found.lines
    assert read == [b"x" * 8, b"x" * 8, b"xxxx", b"1"]


def test_of_a_large_file_only_so_much_of_its_end_is_read(path, monkeypatch):
    monkeypatch.setattr("shiftgym.following.lines.BLOCK", 40)
    monkeypatch.setattr("shiftgym.following.lines.END", 10)
    add(path, "x" * 50 + "\n1\n2\n")
    assert last_lines(path, 9) == [b"1", b"2"]


@pytest.mark.parametrize(
    ("value", "is_one"), [(1, True), (1.5, True), (10**400, False), (float("nan"), False), ("1", False)]
)
def test_a_finite_number(value, is_one):
    assert is_finite(value) == is_one


def test_a_file_that_was_removed_and_written_anew_is_read_anew(path):
    """The file system may give it the same inode."""
    lines = Lines()
    path.write_bytes(b"1\n2\n")
    assert lines.new(path).lines == [b"1", b"2"]
    path.unlink()
    path.write_bytes(b"3\n4\n5\n")
    found = lines.new(path)
    assert found.anew and found.lines == [b"3", b"4", b"5"]


def test_a_folder_may_go_while_its_file_is_read(path, monkeypatch):
    """As that of a try, whose files are published under another name."""
    path.write_bytes(b"1\n")

    def gone(of):
        file = opened(of)
        shutil.rmtree(of.parent, ignore_errors=True)
        return file

    monkeypatch.setattr(lines_module, "opened", gone)
    assert Lines().new(path).lines == [b"1"]
    assert Lines().new(path) == New()
