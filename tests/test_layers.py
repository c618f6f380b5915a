"""The arrows of the house point down (docs/architecture.md), and torch stays behind its line."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "shiftgym"

LAYERS = (
    ("cli",),
    ("integrations",),
    ("candidates",),
    ("studies",),
    ("engines", "reports", "backbones"),
    ("evaluation", "training"),
    ("models",),
    ("policies",),
    ("episodes",),
    ("policies.base",),
    ("tasks",),
    ("tasks.base",),
    ("plugins",),
    ("placement",),
    ("reading",),
    ("batching", "files", "gpus", "layout", "messages", "verdicts", "seeds"),
    ("errors",),
)
"""From the roof down. A room imports from itself and from lower layers. The policy protocol lies below the loop that
plays it, the policies themselves above."""

TORCH_ROOMS = ("backbones", "models", "training")
TORCH_FILES = ("integrations.trl",)
TORCH_FREE = {"training.settings"}
TORCH = {"torch", "transformers", "tokenizers", "safetensors"}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        if name:
            yield name, path


def imports(path):
    """Full names of everything a module imports, wherever in the file, but for what only the type checker sees."""
    skipped = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped |= {id(child) for child in ast.walk(node)}
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(name):
    """The layer of the longest room name that `name` lies in."""
    found = [
        (len(room), number)
        for number, rooms in enumerate(LAYERS)
        for room in rooms
        if name == room or name.startswith(f"{room}.")
    ]
    return max(found)[1]


def room(name):
    return name.split(".")[0]


MODULES = dict(modules())


@pytest.mark.parametrize("name", MODULES)
def test_arrows_point_down(name):
    for imported in imports(MODULES[name]):
        if not imported.startswith("shiftgym."):
            continue
        target = imported.removeprefix("shiftgym.")
        if target == "__version__" or (room(target) == room(name) and not target.startswith("policies.base")):
            continue
        assert layer(target) > layer(name), f"{name} imports {target}, which does not lie below it"


@pytest.mark.parametrize("name", MODULES)
def test_torch_stays_in_models_and_training(name):
    loaded = {imported.split(".")[0] for imported in imports(MODULES[name])} & TORCH
    allowed = room(name) in TORCH_ROOMS or name.startswith(TORCH_FILES)
    if not allowed or name in TORCH_FREE:
        assert not loaded, f"{name} imports {', '.join(sorted(loaded))}"


def test_every_room_has_its_layer():
    assert {room(name) for name in MODULES} <= {room(r) for rooms in LAYERS for r in rooms}
    assert room("tasks.points.deck") == "tasks"
    assert layer("policies.base") > layer("episodes") > layer("policies.expert")
