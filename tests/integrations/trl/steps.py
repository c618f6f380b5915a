"""A GRPOTrainer on a tiny model, for the tests of what it is given."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from shiftgym.integrations.problems import Problems
from shiftgym.integrations.trl.data import dataset

QUIET = [
    # transformers 5.23 warns where TRL and peft use its names for the recomputing of activations.
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing\\w*` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:You are using '(rollout_func|environment_factory)':UserWarning"),
]
"""The mark of tests that train."""

SOURCE = Problems("points-text", overrides=("task.limit=2",))
GROUP = 4


def a_trainer(folder: Path | None, out: Path, **given: Any) -> Any:
    """Two steps of a group each.

    Args:
        folder: of the model; None where model and tokenizer are among the others.
        given: arguments of GRPOTrainer; those that GRPOConfig knows are its own.
    """
    from trl import GRPOConfig, GRPOTrainer

    kind = given.pop("kind", GRPOTrainer)
    settings = {name: given.pop(name) for name in list(given) if name in GRPOConfig.__dataclass_fields__}
    given.setdefault("train_dataset", dataset(SOURCE, "train", 4))
    if folder is not None:
        given.setdefault("processing_class", AutoTokenizer.from_pretrained(folder))
        given["model"] = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return kind(
        args=GRPOConfig(
            output_dir=str(out),
            **{
                "max_steps": 2,
                "per_device_train_batch_size": GROUP,
                "num_generations": GROUP,
                "max_completion_length": 8,
                "learning_rate": 1e-2,
                "logging_steps": 1,
                "use_cpu": True,
                "bf16": False,
                "gradient_checkpointing": False,
                "report_to": "none",
                "save_strategy": "no",
                "disable_tqdm": True,
                **settings,
            },
        ),
        **given,
    )


def logged(trainer: Any, name: str) -> list[float]:
    """What the Trainer logged under a name, step by step."""
    return [log[name] for log in trainer.state.log_history if name in log]
