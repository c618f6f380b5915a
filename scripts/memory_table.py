"""What each card needs for models of 1, 3, 8 and 11 billion parameters, over 1, 2, 4 and 8 ranks: the table of
docs/cluster.md.

    python scripts/memory_table.py [--device-memory 80] [--configs FOLDER]

It plans the branch `ppo`, with its critic and the start that it keeps for KL, of points-text, or of points-vision for
the model that sees. The shapes are those of Llama 3.2 and 3.1. No weights are needed: with `--configs` a config.json
of each model stays in FOLDER, and `shiftgym study run --dry-run --set model=FOLDER/8B` takes it.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shiftgym.studies.config import load_study
from shiftgym.studies.memory import MemoryPlan, in_gb, plan_memory
from shiftgym.studies.needs import main_memory

LLAMA: dict[str, Any] = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 128256, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 131072, "tie_word_embeddings": True,
}  # fmt: skip

SHAPES: dict[str, dict[str, Any]] = {
    "1B": {"hidden_size": 2048, "num_hidden_layers": 16, "intermediate_size": 8192, "head_dim": 64},
    "3B": {"hidden_size": 3072, "num_hidden_layers": 28, "intermediate_size": 8192, "num_attention_heads": 24},
    "8B": {"hidden_size": 4096, "num_hidden_layers": 32, "intermediate_size": 14336, "tie_word_embeddings": False},
}
"""Llama-3.2-1B, Llama-3.2-3B, Llama-3.1-8B."""

SEES: dict[str, Any] = {"model_type": "mllama", "architectures": ["MllamaForConditionalGeneration"]}
"""Llama-3.2-11B-Vision, which is what transformers has by default for `mllama`."""

CONFIGS = {**{name: LLAMA | shape for name, shape in SHAPES.items()}, "11B": SEES}
"""Model -> what its config.json holds."""

WAYS = {
    "full, float32": [],
    "full, bfloat16": ["dtype=bfloat16"],
    "LoRA, bfloat16": ["dtype=bfloat16", "init.lora={rank=16}", "branches.ppo.lora={rank=16}"],
}
"""How it is trained -> settings of the study."""

BRANCH = "ppo"

RANKS = (1, 2, 4, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device-memory", type=float, default=80, metavar="GB")
    parser.add_argument("--configs", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print("\n".join(rows(options.configs or Path(scratch), options.device_memory)))


def rows(folder: Path, device_memory: float) -> Iterator[str]:
    """The lines of the table; config.json of every model is written into `folder`."""
    heads = ["model", "training", *(f"{ranks} rank{'s' * (ranks > 1)}" for ranks in RANKS)]
    heads += ["main memory", "of each of several"]
    yield f"| {' | '.join(heads)} |"
    yield f"|---|---|{'---:|' * (len(RANKS) + 2)}"
    for name in CONFIGS:
        for way in WAYS:
            yield row(name, way, folder, device_memory)


def row(name: str, way: str, folder: Path, device_memory: float) -> str:
    """The line of a model that is trained in one of the ways."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "config.json").write_text(json.dumps(CONFIGS[name]))
    study = load_study(
        "points-vision" if CONFIGS[name] is SEES else "points-text",
        [f"model={folder / name}", "gradient_checkpointing=true", *WAYS[way]],
    )
    found = plan_memory(study, workers=1, device_memory=device_memory)
    cells = [cell(found, ranks) for ranks in RANKS]
    one = found.footprints[BRANCH]
    cells += [in_gb(main_memory(one.over(ranks), "cuda")) for ranks in (1, max(RANKS))]
    return f"| {name} | {way} | {' | '.join(cells)} |"


def cell(found: MemoryPlan, ranks: int) -> str:
    """What a card needs at the least, in brackets if it does not have it."""
    least = found.footprints[BRANCH].over(ranks).least
    return in_gb(least) if least <= found.room.bytes else f"({in_gb(least)})"


if __name__ == "__main__":
    main()
