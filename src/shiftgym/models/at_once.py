"""How many decisions a GPU has room to answer at the same time. No torch is imported until a model is there."""

import sys
from typing import TYPE_CHECKING, Any

from shiftgym.models.conversations.conversation import ConversationSizes
from shiftgym.policies.base import Policy
from shiftgym.tasks.base import Task
from shiftgym.tasks.walk import decisions

if TYPE_CHECKING:
    import torch

FEEDBACK = 64
"""Tokens of the verifier's message after a failed attempt, with what the chat template puts around it."""

SHARE = 0.7
"""Share of the free memory that is planned with. Prompts differ in length, and what does not fit is split anyway."""

MOST = 1024
"""Most decisions at the same time. A step of more hardly has more of them done in a second."""


def decisions_at_once(policy: Policy, task: Task, problem: Any, attempts: int | None = None) -> int | None:
    """How many decisions like those of `problem` fit into the GPU memory that is free now. None: nobody knows, as on a
    CPU and for policies that are no model here.

    Args:
        attempts: answers a decision; the task's own limit by default.
    """
    if "torch" not in sys.modules:
        return None
    from shiftgym.models.footprint import ModelMemory
    from shiftgym.models.generation.buffers import bucket_columns, bucket_rows
    from shiftgym.models.generation.token_chat import TokenPolicy

    if not isinstance(policy, TokenPolicy) or (free := free_memory(policy.model.device)) is None:
        return None
    prompts = [policy.chat_format.prompt(decision.prompt) for decision in decisions(task, problem)]
    # Tokens of a picture carry its number, and are negative.
    sizes = ConversationSizes(
        prompt=max(sum(token >= 0 for token in prompt) for prompt in prompts),
        pictures=max(len({token for token in prompt if token < 0}) for prompt in prompts),
        answer=policy.max_new_tokens,
        attempts=attempts or task.limit,
        feedback=FEEDBACK,
    )
    memory = ModelMemory.of(policy.model)
    # A GPU computes rounded numbers of rows and columns (`generation/buffers.py`).
    columns = memory.length(sizes)
    row = memory.row(sizes) + memory.cache * (bucket_columns(columns) - columns)
    most = min(MOST, int(free * SHARE) // row)
    return next((count for count in range(most, 1, -1) if bucket_rows(count) <= most), 1)


def free_memory(device: "torch.device") -> int | None:
    """Bytes that torch could allocate on a GPU; None for other devices."""
    import torch

    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
