"""Engines by name."""

import inspect
from importlib import import_module

import pytest

from shiftgym.engines.base import ENGINES, Engine, load_engine
from shiftgym.engines.local import LocalEngine
from shiftgym.placement import Placement


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_is_one(name: str) -> None:
    module, _, kind = ENGINES[name].partition(":")
    found = getattr(import_module(module), kind)
    assert found.threads >= 1
    for method in ("connect", "ask", "require", "run", "close"):
        assert inspect.signature(getattr(found, method)) == inspect.signature(getattr(Engine, method)), method


def test_an_engine_is_loaded_by_its_name() -> None:
    engine = load_engine("local", workers=3, imports=("json",), placement=Placement(device="cpu"))
    assert (type(engine), engine.workers) == (LocalEngine, 3)
    engine.close()
