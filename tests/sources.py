"""The source files of shiftgym, each parsed once for all tests that read it."""

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "src" / "shiftgym"

SOURCES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
"""Every file by its path within the package."""


@cache
def parsed(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a file, from the module down."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
