"""What a log tells of the end of its process."""

from pathlib import Path

from shiftgym.following.logs import cause, last_words


def test_the_cause_is_the_last_line_without_the_name_of_our_class(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert cause(log) == "the process was killed"
    log.write_text("began\nshiftgym.errors.ConfigError: splits.none: no such hand\n\n")
    assert cause(log) == "splits.none: no such hand"
    log.write_text("ValueError: shiftgym.errors.X: y\n")
    assert last_words(log) == f"ValueError: shiftgym.errors.X: y (all of it: {log})"
