"""The report on the standard output, or a line that says why there is none."""

import os

import pytest

from shiftgym.errors import DataError
from shiftgym.view import rendered


@pytest.fixture(autouse=True)
def _as_nice_as_before(monkeypatch):
    monkeypatch.setattr(os, "nice", lambda by: by)


def test_it_is_printed_as_it_is(capfdbinary, monkeypatch):
    monkeypatch.setattr(rendered, "render_report", lambda folder: f"<p>é {folder}\r\n")
    rendered.main("a")
    rendered.sys.stdout.flush()
    assert capfdbinary.readouterr().out == "<p>é a\r\n".encode()


def test_why_there_is_none(monkeypatch):
    def none(folder):
        raise DataError("no results yet")

    monkeypatch.setattr(rendered, "render_report", none)
    with pytest.raises(SystemExit, match="^no results yet$"):
        rendered.main("a")
