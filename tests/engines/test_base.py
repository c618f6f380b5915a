"""Engines by name."""

import inspect
from importlib import import_module

import pytest

from shiftgym.engines.base import ENGINES, Engine, load_engine
from shiftgym.placement import Placement


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_is_one(name: str) -> None:
    engine = load_engine(name, workers=3, imports=("json",), placement=Placement(device="cpu"))
    assert engine.workers == 3
    assert engine.threads >= 1
    module, _, kind = ENGINES[name].partition(":")
    assert type(engine) is getattr(import_module(module), kind)
    assert inspect.signature(type(engine).run) == inspect.signature(Engine.run)
    assert inspect.signature(type(engine).connect) == inspect.signature(Engine.connect)
