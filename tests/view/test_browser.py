"""A browser is opened where there is a screen, and nobody waits for it."""

import threading

from shiftgym.view import browser
from shiftgym.view.browser import SCREENS, open_browser


def test_a_browser_that_takes_long_holds_nothing_up(monkeypatch):
    shown, done = [], threading.Event()
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(browser.webbrowser, "open", lambda url: (done.wait(10), shown.append(url)))
    open_browser("http://127.0.0.1:1/")
    assert not shown
    done.set()


def test_without_a_screen_there_is_none(monkeypatch, capsys):
    for name in SCREENS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(browser.webbrowser, "open", None)
    open_browser("http://127.0.0.1:1/")
    assert capsys.readouterr().out == "There is no screen here, so no browser was opened.\n"
