"""Every source file with logic has a test file that mirrors it: src/shiftgym/a/b.py -> tests/a/test_b.py."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "src" / "shiftgym"

DECLARATIONS = {
    "errors.py": "exception classes without behaviour",
    "cli/options.py": "types of options",
    "verdicts.py": "a dataclass and two constants",
    "policies/base.py": "protocols and dataclasses",
    "tasks/base.py": "protocols and dataclasses",
    "backbones/corpus.py": "a dataclass",
    "tasks/navigation/streetview/style.py": "dataclasses",
}
"""Files that only declare, and why there is nothing to test in them."""

SOURCES = [path.relative_to(PACKAGE).as_posix() for path in sorted(PACKAGE.rglob("*.py")) if path.stem != "__init__"]
HELD = [name for name in SOURCES if name not in DECLARATIONS]


@pytest.mark.parametrize("name", HELD)
def test_a_source_file_has_its_test_file(name):
    source = Path(name)
    mirror = TESTS / source.parent / f"test_{source.name}"
    assert mirror.is_file(), f"write {mirror.relative_to(TESTS.parent)}, or name src/shiftgym/{name} a declaration"
    assert "def test_" in mirror.read_text(encoding="utf-8")


def test_declarations_are_there():
    assert set(DECLARATIONS) <= set(SOURCES)
