"""The public `play`: it finds the policy, the task and the problems by name, and calls the loop of
`shiftgym.episodes`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shiftgym import episodes
from shiftgym.episodes import Episode
from shiftgym.models.resolve import resolve_policy
from shiftgym.placement import DEFAULT_PLACEMENT, Placement
from shiftgym.seeds import Names
from shiftgym.tasks.base import Task
from shiftgym.tasks.registry import build_task, require_split

if TYPE_CHECKING:
    from shiftgym.models.resolve import PolicyLike


def play(
    policy: "PolicyLike",
    task: Task | str = "points",
    problems: int | Sequence[Any] = 1,
    *,
    split: str = "train",
    seed: int = 0,
    temperature: float = 1.0,
    max_new_tokens: int = 96,
    limit: int | None = None,
    feedback: bool = True,
    noise: Sequence[Names] | None = None,
    ahead: bool = False,
    placement: Placement = DEFAULT_PLACEMENT,
) -> list[Episode]:
    """Play one episode on each problem, with sequential revision (paper, section 3).

        episodes = play("points-0", "points", 8)

    Args:
        policy: a policy, the pair from `load_policy`, or a name: a shipped backbone, a model directory, a hub id, or
            `expert`.
        task: a task, or its name: `points`, `navigation`, or `package.module:Class`. A task given by name has one
            split, `train`, and default settings; `build_task` and `load_study(...).build_task()` make others.
        problems: problems of the task, indices of problems of `split`, or how many of its first problems.
        split: the split that indices refer to.
        seed: of the answers of a model.
        temperature: at which a model answers; 0 is greedy. A policy object has its own.
        max_new_tokens: longest answer of a model, in tokens.
        limit: attempts a decision; the task's own limit by default.
        feedback: whether the verifier's message is shown after a failed attempt, or only that it failed.
        noise: of each episode, the name of the random stream that its answers are sampled from. By default split,
            index, and how often the problem came before.
        ahead: answer all decisions of a problem side by side, those after a failed one too.
        placement: where a policy that is given by name runs, and in which form.

    Raises:
        ConfigError: there is no such policy, task or split.
    """
    if isinstance(task, str):
        task = build_task(task)
    chosen = range(problems) if isinstance(problems, int) else problems
    if any(isinstance(each, int) for each in chosen):
        require_split(task, split)
    dealt = [task.problem(split, each) if isinstance(each, int) else each for each in chosen]
    answering = resolve_policy(policy, task, max_new_tokens=max_new_tokens, seed=seed, placement=placement)(temperature)
    return episodes.play(answering, task, dealt, noise=noise, limit=limit, feedback=feedback, ahead=ahead)
