"""Opening a page in the browser of this machine, if it has one."""

import os
import sys
import threading
import webbrowser

SCREENS = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
"""Variables of the environment, one of which says that a browser can show something."""


def open_browser(url: str) -> None:
    """Show a page, without waiting for the browser. A machine without a screen has only browsers that would take over
    the terminal, so none is opened there."""
    if sys.platform == "linux" and not any(os.environ.get(name) for name in SCREENS):
        print("There is no screen here, so no browser was opened.", flush=True)
    else:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
