"""A folder of runs, and a server of them, each for all tests here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser import runs
from tests.browser.chromium import Server


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that no test changes."""
    folder = tmp_path_factory.mktemp("runs")
    runs.attacked(folder, "attacked")
    runs.study(folder, "small", seeds=(0,), problems=10, decodings=("sampled",))
    runs.compared(folder, "compared")
    return folder


@pytest.fixture(scope="session")
def server(folder: Path) -> Iterator[Server]:
    with Server(folder) as server:
        yield server
