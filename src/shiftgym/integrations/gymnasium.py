"""Tasks as environments of Gymnasium.

    import gymnasium
    import shiftgym.integrations.gymnasium

    env = gymnasium.make("shiftgym/points-text-v0", split="train")
    observation, info = env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step('{"formula": "..."}')

Importing this file registers `shiftgym/TASK-MODALITY-v0` for every shipped study of that name, and `shiftgym/study-v0`,
which takes any study by its keyword `study`. Gymnasium looks for no plugins, so the import is needed; where there is no
room for it, the id may name it: `gymnasium.make("shiftgym.integrations.gymnasium:shiftgym/points-text-v0")`.
"""

import string
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NoReturn, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import CustomSpaceError
from gymnasium.vector.utils import create_shared_memory
from numpy.typing import NDArray

from shiftgym.errors import ConfigError
from shiftgym.integrations.problems import Problems
from shiftgym.integrations.session import images, text_of
from shiftgym.reading import nearest, require_count
from shiftgym.studies.config import Study, shipped_studies
from shiftgym.tasks.base import Drawn
from shiftgym.tasks.registry import SHIPPED, require_split

MODALITIES = ("text", "vision")
MAX_TEXT = 16_384
"""Longest text that the spaces have, in characters. A longer action is judged like any other."""
ANY_PROBLEM = 2**31
OPTIONS = ("split", "index")


class ShiftEnv(gymnasium.Env[Any, str]):
    """One episode a problem: each action is an answer, and each reward is that of its verdict.

    An observation is what the environment says now: the prompt when a decision begins, the verifier's message after a
    failed attempt, and nothing when the episode has ended. In vision it is a dictionary of this `text` and of the
    `images` that the present decision shows, (pictures, height, width, 3). The whole conversation that is to be
    answered is `info["messages"]`: chat messages, whose pictures are PIL images. That is what a chat model should be
    given. The rest of `info` is `Session.info`.

    Any text may be an action, also one that the action space does not hold. An episode is terminated when every
    decision was solved, or one was not within its attempts: the limit is part of the problem, so this is no truncation.
    The environment truncates nothing itself.

    Args:
        study: a shipped study, a study file, or a `Study`; its task, splits and data seed are used.
        split: the split that problems are drawn from; by default the one that the study trains on.
        count: problems are drawn from the first so many of the split; by default from all, as good as endless.
        overrides: `key.path=value` each, to change the study, as in `task.hint=detail`.
        limit: attempts a decision; the task's own limit by default.
        feedback: whether the verifier's message is shown after a failed attempt, or only that it failed.
        render_mode: `ansi` for a text of the conversation, and above it the task's own sketch where it has one.

    Raises:
        ConfigError: there is no such study or split.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi"], "render_fps": 1}

    def __init__(
        self,
        study: Study | str | Path = "points-text",
        *,
        split: str | None = None,
        count: int = ANY_PROBLEM,
        overrides: Sequence[str] = (),
        limit: int | None = None,
        feedback: bool = True,
        render_mode: str | None = None,
    ) -> None:
        self.problems = Problems(study, overrides=overrides, limit=limit, feedback=feedback)
        self.split = self.problems.study.trained if split is None else split
        require_split(self.problems.task, self.split)
        require_count("count", count, "problems")
        self.count, self.render_mode = count, render_mode
        self.action_space = AnyText()
        self.observation_space: spaces.Space[Any] = AnyText()
        # All decisions of a task show as many pictures, of one size, so one of them says what space they need.
        images = _images(self.problems.session(self.split, 0).messages)
        self.shown = images is not None
        if images is not None:
            shown = spaces.Box(0, 255, images.shape, np.uint8)
            self.observation_space = spaces.Dict({"text": AnyText(), "images": shown})

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode on a problem that is drawn at random.

        Args:
            seed: begins the random stream of the problems anew.
            options: `split` and `index`, either or both, to choose the problem.

        Raises:
            ConfigError: there is no such option or split.
        """
        super().reset(seed=seed)
        options = options or {}
        for name in options:
            if name not in OPTIONS:
                raise ConfigError(f"options: unknown key {name!r}{nearest(name, OPTIONS)}")
        index = options["index"] if "index" in options else int(self.np_random.integers(self.count))
        self.session = self.problems.session(options.get("split", self.split), index)
        return self._told(self.session.messages)

    def step(self, action: str) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Judge an answer.

        Raises:
            ValueError: the episode has ended.
        """
        messages, reward, done = self.session.step(action)
        observation, info = self._told(messages)
        return observation, reward, done, False, info

    def render(self) -> str | None:
        if self.render_mode is None:
            return None
        task, decision = self.problems.task, self.session.episode.decisions[-1].decision
        sketch = [task.sketch(decision)] if isinstance(task, Drawn) else []
        return "\n\n".join([*sketch, *(f"{m['role']}: {text_of(m)}" for m in self.session.messages)])

    def _told(self, messages: list[dict[str, Any]]) -> tuple[Any, dict[str, Any]]:
        """The observation and `info`, from the conversation that is to be answered."""
        told: Any = "\n\n".join(map(text_of, self.session.told))
        if self.shown:
            told = {"text": told, "images": _images(messages)}
        info = self.session.info
        info["messages"] = messages
        return told, info


class AnyText(spaces.Text):
    """Any text of up to `MAX_TEXT` characters. Its character set, of which samples are made, is printable ASCII: a
    table of all Unicode would have over a million entries."""

    def __init__(self) -> None:
        super().__init__(MAX_TEXT, min_length=0, charset=string.printable)

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and len(x) <= self.max_length


@create_shared_memory.register(AnyText)
def _no_shared_memory(*_: object, **__: object) -> NoReturn:
    """`AsyncVectorEnv` of Gymnasium 1.4 never reads a text again that lies in shared memory."""
    raise CustomSpaceError("texts do not come back through shared memory; give vector_kwargs={'shared_memory': False}")


def _images(messages: Sequence[Mapping[str, Any]]) -> NDArray[np.uint8] | None:
    """The pictures of a conversation, (pictures, height, width, 3); None if there are none."""
    drawn = [np.asarray(image) for image in images(messages)]
    return np.stack(drawn) if drawn else None


def ids() -> Iterator[tuple[str, str]]:
    """Each id and its study: those that are named by a task and a modality."""
    for study in shipped_studies():
        task, _, modality = study.rpartition("-")
        if task in SHIPPED and modality in MODALITIES:
            yield f"shiftgym/{study}-v0", study


# The tests run Gymnasium's whole checker, so its passive one need not watch what users do.
_register = partial(
    gymnasium.register, entry_point="shiftgym.integrations.gymnasium:ShiftEnv", disable_env_checker=True
)
for _id, _study in ids():
    _register(_id, kwargs={"study": _study})
_register("shiftgym/study-v0")
