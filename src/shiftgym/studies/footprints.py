"""What each branch of a study takes, from the model's configuration alone: no weights are loaded, and no device is
touched."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from shiftgym.evaluation.evaluate import BATCH
from shiftgym.files import write_text
from shiftgym.models.at_once import FEEDBACK
from shiftgym.models.conversations.conversation import ConversationSizes
from shiftgym.placement import Placement
from shiftgym.studies.config import Study
from shiftgym.studies.own_process import engine, in_own_process
from shiftgym.studies.plan import PlannedBranch, plan
from shiftgym.tasks.base import Task
from shiftgym.tasks.walk import decisions
from shiftgym.training.footprint import Footprint
from shiftgym.training.registry import load_recipe
from shiftgym.training.settings import RolloutSettings, SamplingSettings

LETTERS = 4
"""Letters of a token of English text, as tokenizers of large vocabularies have them."""

AROUND = 32
"""Tokens that a chat template puts around a prompt."""

LOOKED_AT = 8
"""Problems of each split whose prompts are measured."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What the configuration of a study's model tells."""

    footprints: dict[str, Footprint]
    """Of each branch by its name, over as many ranks as it asks for."""
    weights: bool
    """Whether the model's weights are there to be loaded."""


def footprints(study: Study, device: str) -> Planned:
    """What the branches take of devices of this type, `cuda` or `cpu`. torch is not imported here for it.

    Raises:
        ConfigError: there is no such model, or a branch names parts that the model does not have.
    """
    found = in_own_process(_plan, study, device, where=engine(1, Placement(device="cpu")))
    return TypeAdapter(Planned).validate_python(found)


def _plan(study: Study, device: str, out: Path) -> None:
    """In a process of its own: write the memory of each branch to `out`."""
    from shiftgym.models.loading.skeleton import skeleton
    from shiftgym.training.planned import planned_footprint
    from shiftgym.training.recipe import Recipe

    placement, task = study.placement, study.build_task()
    model, weights = skeleton(study.model, dtype=placement.dtype, attention=placement.attention)
    found = {}
    for branch in plan(study):
        if branch.name in found:
            continue
        settings = branch.table.settings
        # What is asked of the recipe follows from its settings; a whole one needs a model.
        recipe = Recipe.__new__(load_recipe(branch.table.recipe))
        recipe.settings = settings
        found[branch.name] = planned_footprint(
            model,
            settings,
            learned=_learned(task, branch),
            answered=_answered(study, task, branch),
            gradient_checkpointing=placement.gradient_checkpointing,
            device=device,
            critic=recipe.value_rate is not None,
            copies=int(bool(recipe.kl) or recipe.sampled_by == "start") + int(study.probes is not None),
            probed=study.probes is not None,
            iteration=_iteration(task, branch),
            batch=BATCH,
        ).over(branch.ranks)
    write_text(out, json.dumps(asdict(Planned(found, weights))))


def _learned(task: Task, branch: PlannedBranch) -> ConversationSizes:
    """The longest conversation that a branch learns from."""
    settings = branch.table.settings
    prompt, pictures = _longest_prompt(task, [settings.train_on])
    if isinstance(settings, SamplingSettings):
        attempts = getattr(settings, "limit", 1) or task.limit
        return ConversationSizes(prompt, pictures, settings.max_new_tokens, attempts, FEEDBACK)
    problems = (task.problem(settings.train_on, index) for index in range(LOOKED_AT))
    answers = [task.expert(decision) for problem in problems for decision in decisions(task, problem)]
    return ConversationSizes(prompt, pictures, max(map(len, answers)) // LETTERS + 1, 1, FEEDBACK)


def _answered(study: Study, task: Task, branch: PlannedBranch) -> ConversationSizes:
    """The longest conversation that a branch has, in rollouts or in the evaluation of its checkpoints."""
    settings = branch.table.settings
    prompt, pictures = _longest_prompt(task, [*study.evaluation.splits, settings.train_on])
    longest = max(study.evaluation.max_new_tokens, getattr(settings, "max_new_tokens", 0))
    return ConversationSizes(prompt, pictures, longest, task.limit, FEEDBACK)


def _iteration(task: Task, branch: PlannedBranch) -> int:
    """Decisions of an iteration; 0 for a branch without rollouts."""
    settings = branch.table.settings
    if not isinstance(settings, RolloutSettings):
        return 0
    each = sum(1 for _ in decisions(task, task.problem(settings.train_on, 0)))
    return settings.episodes_per_iteration * each


def _longest_prompt(task: Task, splits: Sequence[str]) -> tuple[int, int]:
    """Tokens and pictures of the longest prompt among the first problems of these splits."""
    problems = (task.problem(split, index) for split in splits for index in range(LOOKED_AT))
    prompts = [decision.prompt for problem in problems for decision in decisions(task, problem)]
    letters = max(sum(len(message["content"]) for message in prompt) for prompt in prompts)
    pictures = max(sum(len(message.get("pictures", ())) for message in prompt) for prompt in prompts)
    return letters // LETTERS + AROUND, pictures
