"""The rooms of the code as a drawing: one row a layer, made from the layers that `tests/test_layers.py` holds."""

import ast
from pathlib import Path
from typing import Any

from scripts.pictures.drawing import NORMAL, SMALL, WIDTH, lines_of, picture, text

LAYERS_FILE = Path(__file__).parents[2] / "tests" / "test_layers.py"

ROOMS = {
    "cli": "the commands; a person as a policy",
    "view": "the live page of a run",
    "tracking": "runs in trackers of others",
    "integrations": "tasks in trainers of others",
    "candidates": "shiftgym compare: checkpoints that anyone trained, judged against the model before",
    "studies": "study files, the plan, carrying it out; suites and their claims",
    "engines": "where branches run: here, or on Ray",
    "reports": "comparison, verdicts, tables, figures",
    "backbones": "how the shipped models are made",
    "following": "a run folder, read while it grows, as one table of values",
    "evaluation": "measures, probes, rows, statistics",
    "training": "the loop, checkpoints, a file for each recipe",
    "models": "answers, scores and gradients of any model: caches, prefix trees, LoRA, memory, the ledger of compute",
    "policies": "the expert, scripted answers, endpoints",
    "episodes": "sequential revision: the one loop for training, evaluation and sessions",
    "policies.base": "what a policy is",
    "tasks": "problems, prompts, verifiers: points, navigation, reasoning_gym",
    "tasks.base": "what a task is",
    "plugins": "a class of yours, by its name",
    "placement": "device, number format, attention",
    "reading": "TOML as typed tables, with plain errors",
    "batching": "", "files": "", "gpus": "", "layout": "", "messages": "", "serving": "", "verdicts": "", "seeds": "",
    "errors": "what users are told",
}  # fmt: skip
"""What is in each room. The lowest ones say it by their names."""

MARGIN, GAP = 16.0, 6.0


def draw() -> str:
    """The drawing."""
    layers, torch = _tables("LAYERS", "TORCH_ROOMS")
    unknown = {room for layer in layers for room in layer} ^ ROOMS.keys()
    if unknown:
        raise SystemExit(f"{__file__}: ROOMS and {LAYERS_FILE.name} differ in {', '.join(sorted(unknown))}")
    parts = [
        text(MARGIN, 28, "The rooms of shiftgym", "bold"),
        text(MARGIN, 47, "A room imports from rooms below it, never from above.", "muted", SMALL),
        f'<rect class="torch" x="{MARGIN:g}" y="57" width="14" height="14" rx="3"/>',
        text(MARGIN + 20, 68, "imports torch, as integrations.trl and a branch do", "muted", SMALL),
    ]
    y = 82.0
    for layer in layers:
        rooms, y = _row(layer, torch, y)
        parts += rooms
    style = ".room{fill:var(--box);stroke:var(--grid)}.torch{fill:var(--torch);stroke:var(--edge)}"
    style += ":root{--torch:#fbe6d4;--edge:#d59a68}"
    style += "@media(prefers-color-scheme:dark){:root{--torch:#45301f;--edge:#8a6240}}"
    return picture(y + 8, "The rooms of shiftgym", _description(layers, torch), parts, style)


def _tables(*names: str) -> list[Any]:
    """Constants of the test of layers, which is read and not imported."""
    module = ast.parse(LAYERS_FILE.read_text(encoding="utf-8"))
    assigned = {node.targets[0].id: node.value for node in module.body if isinstance(node, ast.Assign)}
    return [ast.literal_eval(assigned[name]) for name in names]


def _row(layer: tuple[str, ...], torch: tuple[str, ...], y: float) -> tuple[list[str], float]:
    """The rooms of a layer side by side, at most four in a line, and where the next layer begins."""
    parts: list[str] = []
    for first in range(0, len(layer), 4):
        rooms = layer[first : first + 4]
        width = (WIDTH - 2 * MARGIN - GAP * (len(rooms) - 1)) / len(rooms)
        if len(layer) == 1 and len(ROOMS[layer[0]]) <= 40:
            parts += _line(layer[0], y)
            y += 27 + GAP
            continue
        told = [lines_of(ROOMS[room], width - 16, SMALL) if ROOMS[room] else [] for room in rooms]
        height = 27 + 15 * max(map(len, told))
        for number, (room, lines) in enumerate(zip(rooms, told, strict=True)):
            x = MARGIN + number * (width + GAP)
            kind = "torch" if room in torch else "room"
            parts.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>')
            parts.append(text(x + 8, y + 18, room, "bold", NORMAL if len(rooms) < 4 else SMALL + 1))
            parts += [text(x + 8, y + 34 + 15 * at, line, "muted", SMALL) for at, line in enumerate(lines)]
        y += height + GAP
    return parts, y


def _line(room: str, y: float) -> list[str]:
    """A layer of one room, whose few words stand beside its name."""
    box = f'<rect class="room" x="{MARGIN:g}" y="{y:g}" width="{WIDTH - 2 * MARGIN:g}" height="27" rx="6"/>'
    name = text(MARGIN + 8, y + 18, room, "bold", NORMAL)
    return [box, name, text(MARGIN + 118, y + 18, ROOMS[room], "muted", SMALL)]


def _description(layers: tuple[tuple[str, ...], ...], torch: tuple[str, ...]) -> str:
    """The same in words."""
    rows = "; ".join(", ".join(layer) for layer in layers)
    told = f"From the roof down: {rows}. Rooms import only from rooms below them."
    return f"{told} Torch is imported in {', '.join(torch)}."
