"""Every source file with logic has a test file that mirrors it: src/shiftgym/a/b.py -> tests/a/test_b.py."""

from pathlib import Path

from tests.sources import SOURCES

TESTS = Path(__file__).parent

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

HELD = [Path(name) for name in SOURCES if not name.endswith("__init__.py") and name not in DECLARATIONS]


def test_a_source_file_has_its_test_file():
    mirrors = [TESTS / source.parent / f"test_{source.name}" for source in HELD]
    missing = [str(mirror) for mirror in mirrors if not mirror.is_file()]
    assert missing == [], "write these files, or name their source files declarations"
    assert [str(mirror) for mirror in mirrors if "def test_" not in mirror.read_text(encoding="utf-8")] == []


def test_declarations_are_there():
    assert set(DECLARATIONS) <= set(SOURCES)
