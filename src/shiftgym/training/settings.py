"""What the settings of recipes have in common; each recipe has its own beside it (`training/recipes/`). No torch is
imported here, so that study files are read fast."""

import re
from importlib.util import find_spec
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shiftgym.errors import ConfigError

WARMUP_START = 0.1
"""Rate at the start of a warm-up, as a share of the peak: above zero, so that the first step is not wasted."""


Accounting = Literal["executed", "paper"]
"""Which FLOPs a budget counts: those that were executed, or those of the paper's formula."""

FLOPS: dict[Accounting, Literal["flops", "flops_paper"]] = {"executed": "flops", "paper": "flops_paper"}
"""The name of each in a ledger, in metrics.jsonl and in results.jsonl."""


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class OptimizerSettings(Settings):
    """The optimizer of a recipe."""

    name: Literal["adamw", "adamw8bit", "muon"] = "adamw"
    """`adamw8bit`: AdamW of bitsandbytes, whose moments take 8 bits a weight, but 32 for embeddings and small tensors.
    `muon`: Muon on the trunk's matrices and AdamW on the rest, at one learning rate; not for LoRA."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """Peak learning rate."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay of every parameter."""
    betas: tuple[float, float] = (0.9, 0.98)
    """AdamW's decay rates of the first and second moment."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients of a larger norm are scaled down to it."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of the run in which the rate rises linearly from a tenth of its peak."""
    schedule: Literal["constant", "linear"] = "constant"
    """`linear`: after the warm-up the rate falls to zero at the end of the run."""

    def rate(self, fraction: float) -> float:
        """The learning rate when `fraction` of the run is done."""
        if fraction < self.warmup:
            return self.learning_rate * (WARMUP_START + (1 - WARMUP_START) * fraction / self.warmup)
        if self.schedule == "linear":
            return self.learning_rate * (1 - fraction) / (1 - self.warmup)
        return self.learning_rate


class LoraSettings(Settings):
    """LoRA: small matrices beside the frozen weights of linear layers are trained, and nothing else but a critic.

    `alpha` does not follow `rank`: at a fixed alpha the best learning rate hardly depends on the rank ("LoRA Without
    Regret", Schulman et al. 2025). There is no dropout, since training has none anywhere.
    """

    rank: int = Field(default=16, ge=1)
    """Columns of the one matrix and rows of the other; peft's `r`."""
    alpha: int = Field(default=32, gt=0)
    """The adapter's output is multiplied by alpha / rank; peft's `lora_alpha`."""
    targets: str | Annotated[tuple[str, ...], Field(min_length=1)] = "all-linear"
    """The layers that get an adapter; peft's `target_modules`. `all-linear`: every linear layer that peft can adapt,
    but the output embeddings; experts that are stacked in one weight get none. A list: linear layers whose names end
    so, as in `["q_proj", "v_proj"]`. Other text: a regular expression for whole names."""

    @field_validator("targets")
    @classmethod
    def _compiles(cls, targets: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(targets, str):
            try:
                re.compile(targets)
            except re.error as error:
                raise ValueError(f"{targets!r} is no regular expression: {error}") from None
        return targets


class TrainingSettings(Settings):
    """Settings of every recipe."""

    train_on: str = "train"
    """Name of the split that problems come from."""
    problems: int | None = Field(default=1000, gt=0)
    """Size of the training set: the first problems of the split, in a new order each epoch. None: a new problem every
    time."""
    optimizer: OptimizerSettings = OptimizerSettings()
    """The optimizer and its learning rate."""
    lora: LoraSettings | None = None
    """Train a LoRA adapter in place of the model's own weights (`lora`). Checkpoints are adapters. KL is measured from
    the model without the new adapter, or from the adapter that the branch starts with."""
    frozen: tuple[Literal["vision", "projector"], ...] = ()
    """Parts of a vision-language model that are not trained and get no adapter: its vision encoder, the projector from
    there to the decoder, or both."""
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    """Number format of forward and backward passes in training. `float32` is that of the weights, whatever `dtype` they
    have. In `bfloat16` the trunk runs under autocast; the weights stay as they are, and log-softmax is float32. `auto`
    is bfloat16 where the device computes in it, and float32 elsewhere, since a CPU would have to emulate it."""
    tokens_per_pass: int = Field(default=4096, gt=0)
    """Most padded tokens of a microbatch, which runs through the model in one pass. The gradients of microbatches add
    up to that of the minibatch, so this changes memory and speed, not the result (beyond rounding)."""

    @model_validator(mode="after")
    def _optimizer_of_an_adapter(self) -> Self:
        # Muon gives every direction of an update the same length. That is meant for whole matrices; for the two factors
        # of a product nobody has shown what it does.
        if self.lora is not None and self.optimizer.name == "muon":
            raise ValueError("optimizer: muon is for whole matrices; with lora, use adamw or adamw8bit")
        return self

    def check_installed(self) -> None:
        """ConfigError if these settings need a package that is not there."""
        needed = {"lora": ("peft", self.lora is not None)}
        needed["optimizer adamw8bit"] = ("bitsandbytes", self.optimizer.name == "adamw8bit")
        for setting, (package, used) in needed.items():
            if used and find_spec(package) is None:
                raise ConfigError(
                    f"{setting} needs {package}, which is not installed: pip install 'shiftgym[{package}]'"
                )


class SupervisedSettings(TrainingSettings):
    """Settings of every recipe that raises the likelihood of given answers. One step is one optimizer step."""

    batch: int = Field(default=64, gt=0)
    """Problems an optimizer step."""
    kl: float = Field(default=0.0, ge=0)
    """Weight of the KL divergence from the model that the branch started with, over the whole vocabulary at each answer
    token."""


class SamplingSettings(TrainingSettings):
    """Settings of every recipe that learns from the model's own answers."""

    max_new_tokens: int = Field(default=96, gt=0)
    """Longest answer in tokens."""
    temperature: float = Field(default=1.0, gt=0)
    """Sampling temperature; in reinforcement the log-probabilities that are trained are divided by it too."""


class RolloutSettings(SamplingSettings):
    """Settings of every reinforcement recipe. One step is one iteration: play episodes, then learn from them."""

    episodes_per_iteration: int = Field(default=128, gt=0)
    """Episodes played before each update."""
    minibatch: int = Field(default=64, gt=0)
    """Episodes an optimizer step."""
    epochs: int = Field(default=2, gt=0)
    """How often each iteration learns from its episodes."""
    limit: int | None = Field(default=None, gt=0)
    """Attempts a decision in training; None is the task's own limit."""
    feedback: bool = True
    """Whether the verifier's message is shown after a failed attempt in training. If not, the message only says that it
    failed."""
    clip: float = Field(default=0.2, gt=0)
    """Clip range: a token's probability ratio gains nothing beyond 1 - clip and 1 + clip."""
    kl: float = Field(default=0.005, ge=0)
    """Weight of the KL divergence from the model that the branch started with."""
    entropy: float = Field(default=0.0, ge=0)
    """Weight of the entropy bonus."""
    reward_scale: float = Field(default=0.2, gt=0)
    """Rewards are multiplied by this before they become advantages and returns."""
