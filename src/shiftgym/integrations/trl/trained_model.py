"""The model in a Trainer, and how its conversations are written."""

from collections.abc import Mapping
from typing import Any

from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin, Trainer
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from shiftgym.errors import ConfigError
from shiftgym.models.conversations.chat import ChatFormat


def trained_model(
    trainer: Trainer, asker: str, template_variables: Mapping[str, Any] | None = None
) -> tuple[PreTrainedModel, ChatFormat]:
    """The model in the Trainer, with the layers of its adapter if it has one, and its chat format.

    Args:
        asker: who wants it, as errors name it.
        template_variables: values of the chat template's variables.

    Raises:
        ConfigError: the model cannot answer in this process alone, or nothing says how its conversations are written.
    """
    # This is the model without what training wraps it in, but under FSDP, which is refused.
    model: Any = trainer.model
    spread = any(isinstance(weight, DTensor) for weight in model.parameters())
    if spread or trainer.is_fsdp_enabled or is_deepspeed_zero3_enabled():  # type: ignore[no-untyped-call]
        raise ConfigError(
            f"{asker}: the model's weights are spread over processes (FSDP, ZeRO-3 or tensor parallelism), "
            "so no process can answer alone; judge checkpoints with shiftgym compare instead"
        )
    if hasattr(model, "get_base_model"):
        adapter = model.active_peft_config
        if adapter.is_prompt_learning:
            raise ConfigError(
                f"{asker}: adapter {adapter.peft_type.value} lies in no layer of the model, so the model "
                "cannot answer with it here; adapters such as LoRA can be used"
            )
        model = model.get_base_model()
    reader = trainer.processing_class
    if not isinstance(reader, PreTrainedTokenizerBase | ProcessorMixin):
        raise ConfigError(
            f"{asker}: the Trainer's processing_class is {type(reader).__name__}; "
            "give the Trainer the model's tokenizer or processor"
        )
    return model, ChatFormat.of(model, reader, template_variables=template_variables)
