"""The arrows of the house point down (docs/architecture.md), and torch stays behind its line."""

import ast

from tests.sources import SOURCES, parsed

LAYERS = (
    ("cli",),
    ("view", "tracking", "integrations"),
    ("candidates",),
    ("studies",),
    ("engines", "reports", "backbones"),
    ("following",),
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
    ("batching", "files", "gpus", "layout", "messages", "serving", "verdicts", "seeds"),
    ("errors",),
)
"""From the roof down. A room imports from itself and from lower layers. The policy protocol lies below the loop that
plays it, the policies themselves above."""

TORCH_ROOMS = ("backbones", "models", "training")
TORCH_FILES = ("integrations.trl",)
TORCH_FREE = {"training.settings"}
TORCH = {"torch", "transformers", "tokenizers", "safetensors"}


def modules():
    for file, path in SOURCES.items():
        name = ".".join(part for part in file.removesuffix(".py").split("/") if part != "__init__")
        if name:
            yield name, path


def imports(path):
    """Full names of everything a module imports, wherever in the file, but for what only the type checker sees."""
    skipped = set()
    for node in parsed(path):
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


MODULES = {name: list(imports(path)) for name, path in modules()}
"""What each module imports."""


def test_arrows_point_down():
    upwards = []
    for name, imported in ((name, each) for name, found in MODULES.items() for each in found):
        target = imported.removeprefix("shiftgym.")
        if target in (imported, "__version__"):
            continue
        within = room(target) == room(name) and not target.startswith("policies.base")
        if not within and layer(target) <= layer(name):
            upwards.append(f"{name} imports {target}, which does not lie below it")
    assert upwards == []


def test_torch_stays_in_models_and_training():
    loading = []
    for name, imported in MODULES.items():
        loaded = {each.split(".")[0] for each in imported} & TORCH
        allowed = room(name) in TORCH_ROOMS or name.startswith(TORCH_FILES)
        if loaded and (not allowed or name in TORCH_FREE):
            loading.append(f"{name} imports {', '.join(sorted(loaded))}")
    assert loading == []


def test_every_room_has_its_layer():
    assert {room(name) for name in MODULES} <= {room(r) for rooms in LAYERS for r in rooms}
    assert room("tasks.points.deck") == "tasks"
    assert layer("policies.base") > layer("episodes") > layer("policies.expert")
