"""How much memory a branch takes: its model with everything that training puts beside it."""

import torch
from torch import nn
from transformers import PreTrainedModel

from shiftgym.models.conversations.conversation import ConversationSizes
from shiftgym.models.footprint import Learned, ModelMemory
from shiftgym.models.lora import linear_sizes, targeted
from shiftgym.models.optimizers import state_bytes
from shiftgym.models.parts import freeze
from shiftgym.models.precision import training_dtype
from shiftgym.models.prefixes import decoder_config
from shiftgym.models.value import ValueHead
from shiftgym.training.footprint import Footprint
from shiftgym.training.settings import LoraSettings, TrainingSettings


def planned_footprint(
    model: PreTrainedModel,
    settings: TrainingSettings,
    *,
    learned: ConversationSizes,
    answered: ConversationSizes,
    gradient_checkpointing: bool,
    device: str,
    critic: bool,
    copies: int,
    rows: int,
) -> Footprint:
    """What a branch with these settings takes.

    Args:
        model: on the device `meta`, which is enough. What the settings freeze is frozen in it.
        learned: what it learns from.
        answered: what it answers, in rollouts or in evaluation.
        device: type of the device that training is for.
        critic: whether there is a value head.
        copies: further models beside it.
        rows: decisions that are to be answered at the same time.

    Raises:
        ConfigError: the model has no layers or parts that the settings name.
    """
    freeze(model, settings.frozen)
    trained: nn.Module = model if settings.lora is None else _adapter(model, settings.lora)
    gradients = sum(weight.nbytes for weight in trained.parameters() if weight.requires_grad)
    states, weights = state_bytes(trained, settings.optimizer.name), sum(each.nbytes for each in model.parameters())
    of_critic = 0
    if critic:
        head = ValueHead(decoder_config(model).hidden_size, 0)
        of_critic = sum(weight.nbytes for weight in head.parameters())
        states += of_critic + state_bytes(head, settings.optimizer.name)
    memory, precision = ModelMemory.of(model), training_dtype(settings.precision, torch.device(device))
    how: Learned = "weights" if settings.lora is None else "adapter"
    width = min(memory.width, precision.itemsize)

    def of_pass(tokens: int) -> tuple[int, int]:
        activations, logits = memory.training(
            learned,
            tokens,
            width=width,
            learned=how,
            seeing="nothing" if "vision" in settings.frozen else how,
            gradient_checkpointing=gradient_checkpointing,
            device=device,
        )
        # Under autocast the weights are there in the format of the pass, too.
        return activations + (weights * width // memory.width if width < memory.width else 0), logits

    activations, logits = of_pass(settings.tokens_per_pass)

    return Footprint(
        weights=weights + (gradients if settings.lora is not None else 0),
        copies=copies * gradients,
        gradients=gradients + of_critic,
        optimizer=states,
        activations=activations,
        logits=logits,
        one=sum(of_pass(1)),
        row=memory.row(answered),
        rows=rows,
    )


def _adapter(model: PreTrainedModel, lora: LoraSettings) -> nn.Module:
    """Weights like those of the adapter that the model would get, on the device `meta`."""
    sizes = [linear_sizes(model.get_submodule(name)) for name in targeted(model, lora.targets)]
    factors = [shape for inputs, outputs in sizes for shape in ((lora.rank, inputs), (outputs, lora.rank))]
    return nn.ParameterList([nn.Parameter(torch.empty(shape, device="meta")) for shape in factors])
