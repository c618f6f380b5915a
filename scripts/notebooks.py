"""Makes what readers open of the notebooks, which are kept as scripts: `docs/notebooks/NAME.py`, in the percent format
of Jupytext and VS Code.

    python scripts/notebooks.py [NAME ...]    runs each of them (or all) and writes its page docs/notebooks/NAME.md,
                                              with what it printed and drew
    python scripts/notebooks.py --ipynb FOLDER [NAME ...]    writes notebook files for Jupyter there, and runs nothing

A line `# %% [markdown]` begins a cell of prose, `# %%` a cell of code. What stands behind `# %%` says what the picture
shows that the cell draws.
"""

import argparse
import ast
import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from PIL.Image import Image

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "notebooks"
PICTURES = ROOT / "docs" / "figures" / "notebooks"

MARK = "# %%"
PROSE = "[markdown]"
NOT_RUN = "<!-- not run: tests/scripts/test_notebooks.py runs the whole notebook -->"


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook."""

    text: str
    """Markdown, or code."""
    prose: bool
    title: str = ""
    """What stands behind the mark of a cell of code."""


@dataclass(frozen=True)
class Shown:
    """What a cell of code printed, and the picture that it ended with."""

    text: str = ""
    picture: bytes = b""
    """A PNG; nothing if there is none."""


def cells(script: str) -> list[Cell]:
    """The cells of a notebook that is kept as a script."""
    found = []
    for part in re.split(f"^{MARK}", script, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        prose = head.strip() == PROSE
        lines = [line.removeprefix("#").removeprefix(" ") if prose else line for line in body.splitlines()]
        found.append(Cell("\n".join(lines).strip(), prose, "" if prose else head.strip()))
    return found


def run(notebook: list[Cell], names: dict[str, Any]) -> Iterator[Shown]:
    """Run the cells of code one after the other, as Jupyter does: a cell shows what it prints and draws, and the value
    of its last line.

    Args:
        names: the variables of the notebook, which it adds to.
    """
    for cell in notebook:
        if cell.prose:
            yield Shown()
            continue
        *before, last = ast.parse(cell.text).body
        value, printed = None, io.StringIO()
        with redirect_stdout(printed):
            if isinstance(last, ast.Expr):
                _execute(ast.Module(before, []), names)
                value = eval(compile(ast.Expression(last.value), "notebook", "eval"), names)  # noqa: S307  ours
            else:
                _execute(ast.Module([*before, last], []), names)
        picture = _png(value)
        told = "" if value is None or picture else f"{value!r}\n"
        yield Shown((printed.getvalue() + told).rstrip(), picture)


def page(name: str, notebook: list[Cell], shown: list[Shown]) -> str:
    """A notebook as a page, with what its cells show. Pictures are those that `pictures` names."""
    parts = []
    for number, (cell, found) in enumerate(zip(notebook, shown, strict=True)):
        if cell.prose:
            parts.append(cell.text)
            continue
        parts.append(f"{NOT_RUN}\n```python\n{cell.text}\n```")
        if found.text:
            parts.append(f"```text\n{found.text}\n```")
        if found.picture:
            parts.append(f"![{cell.title}](../figures/notebooks/{_picture(name, number)})")
    made = f"<!-- Made of {name}.py by `python scripts/notebooks.py {name}`. -->"
    return "\n\n".join([made, *parts]) + "\n"


def as_notebook(notebook: list[Cell]) -> dict[str, Any]:
    """A notebook in the format of Jupyter (nbformat 4), without what its cells show."""
    made: list[dict[str, Any]] = []
    for number, cell in enumerate(notebook):
        common = {"id": f"cell-{number}", "metadata": {}, "source": cell.text.splitlines(keepends=True)}
        if cell.prose:
            made.append({"cell_type": "markdown", **common})
        else:
            made.append({"cell_type": "code", "execution_count": None, "outputs": [], **common})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": made}


def names_of(folder: Path = FOLDER) -> list[str]:
    """The notebooks that there are."""
    return sorted(path.stem for path in folder.glob("*.py"))


def read(name: str) -> list[Cell]:
    """The cells of the notebook of that name."""
    return cells((FOLDER / f"{name}.py").read_text(encoding="utf-8"))


def _execute(module: ast.Module, names: dict[str, Any]) -> None:
    exec(compile(module, "notebook", "exec"), names)  # noqa: S102  the notebooks are ours


def _png(value: Any) -> bytes:
    """What a cell has drawn, as PNG: a figure that matplotlib has open, or else a picture of Pillow as its `value`."""
    buffer = io.BytesIO()
    if plt.get_fignums():
        plt.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
        plt.close("all")
    elif isinstance(value, Image):
        value.save(buffer, format="png")
    return buffer.getvalue()


def _picture(name: str, number: int) -> str:
    return f"{name}-{number}.png"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ipynb", type=Path, metavar="FOLDER")
    parser.add_argument("names", nargs="*", metavar="NAME", default=names_of())
    given = parser.parse_args()
    for name in given.names:
        notebook = read(name)
        if given.ipynb:
            given.ipynb.mkdir(parents=True, exist_ok=True)
            target = given.ipynb / f"{name}.ipynb"
            target.write_text(json.dumps(as_notebook(notebook), indent=1) + "\n", encoding="utf-8")
        else:
            shown = list(run(notebook, {"__name__": "__main__"}))
            PICTURES.mkdir(parents=True, exist_ok=True)
            for number, found in enumerate(shown):
                if found.picture:
                    (PICTURES / _picture(name, number)).write_bytes(found.picture)
            target = FOLDER / f"{name}.md"
            target.write_text(page(name, notebook, shown), encoding="utf-8")
        print(target, file=sys.stderr)


if __name__ == "__main__":
    main()
