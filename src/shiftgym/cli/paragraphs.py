"""How help is printed: a paragraph breaks where the terminal ends, and not also where a line of the source did."""

import re
from typing import Any

from cyclopts.help import HelpPanel
from cyclopts.help.formatters import DefaultFormatter
from cyclopts.help.inline_text import InlineText
from rich.console import Console, ConsoleOptions
from rich.text import Text


class Paragraphs(DefaultFormatter):
    """A formatter for cyclopts."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        for entry in panel.entries:
            _join(entry.description)
        super().__call__(console, options, panel)

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        _join(description)
        super().render_description(console, options, description)


def _join(shown: Any) -> None:
    if isinstance(shown, InlineText) and isinstance(shown.primary_renderable, Text):
        text = shown.primary_renderable
        text.plain = re.sub(r"(?<!\n)\n(?!\n)", " ", text.plain)
