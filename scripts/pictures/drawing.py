"""SVG pictures that follow the reader's theme, keep still where motion is not wanted, and are readable on a phone.

A picture is 400 units wide and its smallest text 12 units, so the text is still 11 pixels high where a phone shows the
picture 360 pixels wide.
"""

import re
import textwrap
from collections.abc import Iterable, Sequence
from html import escape

WIDTH, SHOWN = 400, 480
"""Units across a picture, and pixels where there is room for them."""
SMALL, NORMAL = 12.0, 14.0
"""Sizes of text."""

LIGHT = {
    "paper": "#ffffff", "ink": "#1b1e23", "muted": "#5d6570", "grid": "#d9dde2", "box": "#f3f5f7",
    "good": "#00694c", "bad": "#a33a1d", "accent": "#00578a",
}  # fmt: skip
DARK = {
    "paper": "#14171b", "ink": "#e8eaed", "muted": "#a3abb5", "grid": "#363c44", "box": "#1f242a",
    "good": "#58d3a7", "bad": "#ff9a7a", "accent": "#7cc4f8",
}  # fmt: skip
"""The colours of the report's page."""

SANS = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif'
MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"
LETTER, MONO_LETTER = 0.54, 0.61
"""Width of a letter on average, in sizes of text."""


def picture(height: float, title: str, description: str, parts: Iterable[str], style: str = "") -> str:
    """A whole SVG file.

    Args:
        title: short name of the picture, for those who hear it.
        description: what it shows, for the same readers.
        style: rules beside those that all pictures share.
    """
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{SHOWN}" '
        f'height="{height * SHOWN / WIDTH:.0f}" role="img" '
        f'aria-labelledby="title description"><title id="title">{escape(title)}</title>'
        f'<desc id="description">{escape(description)}</desc>'
    )
    shared = (
        f":root{{{_variables(LIGHT)}}}@media(prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}"
        f"svg{{color:var(--ink)}}text{{fill:var(--ink);font-family:{SANS}}}text.mono{{font-family:{MONO}}}"
        "text.muted{fill:var(--muted)}text.good{fill:var(--good)}text.bad{fill:var(--bad)}text.accent{fill:var(--accent)}"
        "text.bold{font-weight:650}.paper{fill:var(--paper);stroke:var(--grid)}.box{fill:var(--box)}"
    )
    paper = f'<rect class="paper" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="8"/>'
    return f"{head}<style>{shared}{style}</style>{paper}{''.join(parts)}</svg>\n"


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())


def text(x: float, y: float, content: str, kind: str = "", size: float = NORMAL, anchor: str = "start") -> str:
    """One line of text; `y` is its base line. `kind`: classes of `picture`."""
    kept = ' xml:space="preserve"' if "  " in content else ""
    return (
        f'<text x="{x:g}" y="{y:g}" class="{kind}" font-size="{size:g}" text-anchor="{anchor}"{kept}>'
        f"{escape(content, quote=False)}</text>"
    )


def lines_of(content: str, width: float, size: float, *, mono: bool = False) -> list[str]:
    """A text broken into lines of at most `width` units."""
    letters = int(width / (size * (MONO_LETTER if mono else LETTER)))
    return textwrap.wrap(content, letters, break_on_hyphens=False) or [""]


def revealed(name: str, start: float, whole: float) -> str:
    """A rule under which the elements of class `name` are faint at first and plain from `start` seconds on, in rounds
    of `whole` seconds. Without motion they are always plain."""
    at, after = 100 * start / whole, 100 * (start + 0.4) / whole
    return _moving(name, whole, "linear", f"0%,{at:.2f}%{{opacity:.1}}{after:.2f}%{{opacity:1}}")


def frames(names: Sequence[str], seconds: Sequence[float], still: str) -> str:
    """Rules under which the elements of one class after the other are shown, for so many seconds each. Without motion
    those of `still` are shown."""
    whole, start = sum(seconds), 0.0
    rules = [f"{','.join('.' + name for name in names)}{{visibility:hidden}}.{still}{{visibility:visible}}"]
    for name, lasts in zip(names, seconds, strict=True):
        begin, end = 100 * start / whole, 100 * (start + lasts) / whole
        after = "" if end >= 100 else f"{end:.3f}%{{visibility:hidden}}"
        before = "" if not start else "0%{visibility:hidden}"
        rules.append(_moving(name, whole, "step-end", f"{before}{begin:.3f}%{{visibility:visible}}{after}"))
        start += lasts
    return "".join(rules)


ROUNDS = 3
"""How often a picture moves before it keeps still."""


def still(svg: str) -> str:
    """A picture without its motion, for those whose browser does not tell pictures that they want none."""
    return re.sub(r"@media\(prefers-reduced-motion:no-preference\)\{[^{}]*\{[^{}]*\}\}", "", svg)


def _moving(name: str, whole: float, easing: str, keyframes: str) -> str:
    """The animation of a class, for those who have not asked for less motion."""
    rule = f".{name}{{animation:{name} {whole:g}s {easing} {ROUNDS}}}"
    return f"@media(prefers-reduced-motion:no-preference){{{rule}}}@keyframes {name}{{{keyframes}}}"
