"""Exact sequential revision in a GRPOTrainer: the model in the Trainer plays the episodes that `shiftgym.play` plays.

After a failed attempt the model reads the verifier's message and answers again (paper, section 3). The tokens are those
that were read and written, never tokenised again; what the verifier said is masked.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shiftgym.batching import BatchLimit
from shiftgym.episodes import DecisionRecord, play
from shiftgym.errors import ConfigError
from shiftgym.integrations.problems import posed, problem_at
from shiftgym.integrations.trl.data import posed_by, require_as_posed
from shiftgym.integrations.trl.trained_model import trained_model
from shiftgym.models.at_once import decisions_at_once
from shiftgym.models.generation.policy import model_policy
from shiftgym.policies.base import Policy
from shiftgym.seeds import Names


def rollout_func(prompts: Sequence[Sequence[Mapping[str, Any]]], trainer: Any) -> dict[str, list[Any]]:
    """One conversation for each prompt, by the model as it is now, for the argument of `GRPOTrainer` of this name.

    Answers are sampled at the Trainer's temperature, and each is at most `max_completion_length` tokens long. With the
    Trainer's `seed`, split, index, and how much the training has seen, every sample is fixed, also in a training that
    is resumed.

    Args:
        prompts: those of `dataset`, one for each conversation, so those of a group are alike.
        trainer: the GRPOTrainer.

    Returns:
        `prompt_ids`, `completion_ids` (answers and what was said between them), `logprobs` and `env_mask`, which is 0
        for what was said, as the Trainer wants them; and `record` for `reward_funcs`.

    Raises:
        ConfigError: the Trainer asks for answers that are sampled in another way, a prompt is not one of `dataset` or
            does not fit the model, or the model cannot answer in this process.
    """
    _require_whole_distribution(trainer)
    model, chat_format = trained_model(trainer, "rollout_func", trainer.chat_template_kwargs)
    policy = model_policy(
        model,
        chat_format,
        temperature=trainer.temperature,
        max_new_tokens=trainer.max_completion_length,
        seed=trainer.args.seed,
    )
    rows = [posed_by(prompt) for prompt in prompts]
    # The tokens seen so far tell one generation from another, and are kept in checkpoints.
    seen, first = trainer.state.num_input_tokens_seen, trainer.accelerator.process_index * len(rows)
    noise: list[Names] = [["trl", row["split"], row["index"], seen, first + at] for at, row in enumerate(rows)]
    records = played(policy, rows, noise)
    for prompt, record in zip(prompts, records, strict=True):
        require_as_posed(prompt, record.decision)
    token = chat_format.pictures.token if chat_format.pictures is not None else None
    found = [_fields(row, record, token) for row, record in zip(rows, records, strict=True)]
    return {name: [each[name] for each in found] for name in found[0]}


def played(policy: Policy, rows: Sequence[Mapping[str, Any]], noise: Sequence[Names]) -> list[DecisionRecord]:
    """The attempts at the decision that each row names, all side by side.

    Args:
        rows: as `Problems.row` gives them.
        noise: of each row, the name of the random stream that its answers are sampled from.
    """
    found: dict[int, DecisionRecord] = {}
    for settings in dict.fromkeys(row["settings"] for row in rows):
        places = [at for at, row in enumerate(rows) if row["settings"] == settings]
        task, asked = posed(settings)
        problems = [problem_at(task, rows[at]["split"], rows[at]["index"]) for at in places]
        batch = BatchLimit(decisions_at_once(policy, task, problems[0], asked["limit"]))
        episodes = play(
            policy,
            task,
            problems,
            noise=[noise[at] for at in places],
            only=[rows[at]["decision"] for at in places],
            batch=batch,
            **asked,
        )
        found.update(zip(places, [episode.decisions[0] for episode in episodes], strict=True))
    return [found[at] for at in range(len(rows))]


def _fields(row: Mapping[str, Any], record: DecisionRecord, picture: int | None) -> dict[str, Any]:
    """What the Trainer is handed of one conversation.

    Args:
        picture: the token that stands for a picture or a part of one.
    """
    transcript = record.transcript
    assert transcript is not None, "a model's chat keeps its tokens"
    start = transcript.spans[0][0]
    if record.attempts[0].stop == "too_long":
        raise ConfigError(
            f"rollout_func: the prompt of {row['split']} {row['index']} leaves no room for an answer within the "
            "positions of the model; make the problems shorter, or give a model that takes more"
        )
    ids: list[Any] = transcript.ids
    if picture is not None:
        ids = [token if token >= 0 else picture for token in ids]
    mask, logprobs = [1] * (len(ids) - start), [*transcript.logprobs[0]]
    for (_, before), (begin, _), values in zip(
        transcript.spans[:-1], transcript.spans[1:], transcript.logprobs[1:], strict=True
    ):
        mask[before - start : begin - start] = [0] * (begin - before)
        logprobs += [0.0] * (begin - before)
        logprobs += values
    return {
        "prompt_ids": ids[:start],
        "completion_ids": ids[start:],
        "logprobs": logprobs,
        "env_mask": mask,
        "record": record,
    }


def _require_whole_distribution(trainer: Any) -> None:
    """ConfigError if the Trainer asks for samples of anything but softmax(logits / temperature) of its own model."""
    args = trainer.args
    others = {
        "use_vllm": args.use_vllm,
        "use_transformers_continuous_batching": args.use_transformers_continuous_batching,
        "top_p": args.top_p != 1,
        "top_k": args.top_k,
        "min_p": args.min_p,
        "repetition_penalty": args.repetition_penalty != 1,
        "a temperature of 0 or less": trainer.temperature <= 0,
        "generation_kwargs": args.generation_kwargs,
        "max_completion_length = None": args.max_completion_length is None,
        "tools": trainer.tools,
    }
    if asked := [name for name, value in others.items() if value]:
        raise ConfigError(
            f"rollout_func: {' and '.join(asked)} cannot be used, since answers are sampled by the model in the "
            "Trainer from its whole distribution, up to a length; leave what TRL has by default"
        )
