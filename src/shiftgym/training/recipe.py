"""What a recipe is: where conversations come from (`collect`), and how their tokens are weighted. The loop does
the rest.

A recipe of your own is a subclass of `Recipe`, or of `PolicyGradient` if it reinforces sampled answers. Nothing here
imports torch, since recipes are imported whenever a study file is read.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from shiftgym.episodes import Episode
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.training.losses import clipped_policy_loss
from shiftgym.training.order import training_order
from shiftgym.training.settings import RolloutSettings, TrainingSettings

if TYPE_CHECKING:
    from torch import Tensor

    from shiftgym.models.microbatches import Microbatch
    from shiftgym.models.player import Player
    from shiftgym.models.score import Scores

Family = Literal["supervised", "reinforced", "between"]
"""`supervised`: learns from the expert's answers. `reinforced`: from its own, by their rewards. `between`: the rest."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What one step learns from."""

    groups: list[list[Conversation]]
    """The conversations about each problem (or of each episode); a minibatch is made of whole groups."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Further values for the step's line of metrics.jsonl."""
    episodes: list[Episode] = field(default_factory=list)
    """The episodes that were played; episodes.jsonl keeps those of steps that end in a checkpoint."""


class Recipe(ABC):
    """One way to change a policy. As it stands, it raises the weighted likelihood of what `collect` gives.

    Args:
        settings: an instance of `Settings`.
        player: the model in training at its task; it reads, samples and scores, and charges the ledger for it.
    """

    name: ClassVar[str]
    """Part of the names of all random streams; a shipped recipe's is that of its file."""
    Settings: ClassVar[type[TrainingSettings]]
    """What a table of a study file may hold for this recipe, beside the keys of every branch."""
    family: ClassVar[Family]
    kl_estimate: ClassVar[Literal["exact", "sampled"]] = "exact"
    """How the KL divergence from the start is estimated, where there is such a term: over the whole vocabulary at each
    answer token, or by the sampled token alone."""

    settings: Any
    """An instance of `Settings`; a subclass may annotate it as such."""

    def __init__(self, settings: TrainingSettings, player: "Player") -> None:
        self.settings = settings
        self.player = player.with_value_head() if self.value_rate is not None else player
        self._start = player.frozen() if self.kl or self.sampled_by == "start" else None

    def problems(self, step: int, count: int) -> list[int]:
        """Indices of the problems of `train_on` that step number `step` trains on, if each step takes `count`. All
        recipes of a seed go through the training set in the same order."""
        settings = self.settings
        start = (step - 1) * count
        return list(training_order(self.player.seed, settings.train_on, settings.problems, start, count))

    @abstractmethod
    def collect(self, step: int) -> Collection:
        """Gather what step number `step` (from 1) learns from; all randomness is derived from the seed and `step`."""

    def loss(self, scores: "Scores", batch: "Microbatch") -> "tuple[Tensor, dict[str, Tensor]]":
        """This microbatch's share of the minibatch's loss, a scalar, and of metrics, scalars too: shares add up to the
        means over the minibatch. The loop adds the KL term and the critic's loss."""
        return -(batch.weights * scores.logprobs).sum() / batch.minibatch_answer_tokens, {}

    @property
    def start(self) -> "Player":
        """A player of the model that the branch started with, kept if `kl` or `sampled_by` asks for it."""
        if self._start is None:
            raise RuntimeError(f"{self.name} keeps no model of its start: sampled_by is {self.sampled_by!r}")
        return self._start

    @property
    def noise(self) -> list[str | int]:
        """The first names of every random stream of this recipe."""
        return ["train", self.name]

    @property
    def sampled_by(self) -> Literal["start", "present"] | None:
        """The model whose answers are learned from. `present`: the model in training, which samples new ones at each
        step; the paper's formula then charges generation too. `start`: the model that the branch started with, which
        sampled them before the first step. None: neither."""
        return None

    @property
    def minibatch(self) -> int | None:
        """Groups an optimizer step; None: all that the step collected."""
        return None

    @property
    def epochs(self) -> int:
        """How often a step goes through what it collected."""
        return 1

    @property
    def kl(self) -> float:
        """Weight of the KL divergence from the model that the branch started with; 0 where there is no such setting."""
        return float(getattr(self.settings, "kl", 0.0))

    @property
    def temperature(self) -> float:
        """What logits are divided by before the loss sees them."""
        return 1.0

    @property
    def value_rate(self) -> float | None:
        """Learning rate of a critic, as a multiple of the model's; None: there is no critic. With one, every
        conversation has `returns`, and `player.values` gives the value of each attempt."""
        return None


class PolicyGradient(Recipe):
    """The clipped policy gradient (PPO's) on sampled answers, whose tokens are weighted by their advantages."""

    Settings = RolloutSettings
    family: ClassVar[Family] = "reinforced"
    kl_estimate = "sampled"
    settings: RolloutSettings

    @property
    def sampled_by(self) -> Literal["present"]:
        return "present"

    @property
    def minibatch(self) -> int:
        return self.settings.minibatch

    @property
    def epochs(self) -> int:
        return self.settings.epochs

    @property
    def temperature(self) -> float:
        return self.settings.temperature

    def play(self, problems: list[int], step: int) -> list[Episode]:
        """One episode of step `step` on each of these problems of the training split, as the settings have it."""
        settings = self.settings
        noise = [[*self.noise, step, episode] for episode in range(len(problems))]
        return self.player.play(settings.train_on, problems, noise, settings.limit, feedback=settings.feedback)

    def loss(self, scores: "Scores", batch: "Microbatch") -> "tuple[Tensor, dict[str, Tensor]]":
        """The clipped loss, a scalar, less the entropy bonus, and what it is made of, scalars too."""
        settings, total = self.settings, batch.minibatch_answer_tokens
        policy, clipped = clipped_policy_loss(scores.logprobs, batch.logprobs, batch.weights, settings.clip)
        loss = policy.sum() / total
        entropy = scores.entropy.sum() / total
        metrics = {"policy_loss": loss, "entropy": entropy, "clip_fraction": clipped.sum() / total}
        if settings.entropy:
            loss = loss - settings.entropy * entropy
        return loss, metrics
