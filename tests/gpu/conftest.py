"""What needs a GPU: run by `make gpu`, and skipped where torch finds none."""

from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.gpu)
            item.add_marker(pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here"))
            # Warnings of other versions of torch and transformers than the pinned ones are no errors.
            item.add_marker(pytest.mark.filterwarnings("default"))
