"""The agent file of OpenRLHF: sequential revision of one decision.

    --train.agent_func_path FILE

takes the path of a file that has an `AgentExecutor`: this one, or one of your own that imports it from here. The data
are written by `shiftgym data openrlhf train.parquet` and read with `--data.input_key prompt --data.label_key label
--data.apply_chat_template`.
"""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from openrlhf.utils.agent import AgentInstanceBase, MultiTurnAgentExecutor

from shiftgym.integrations.problems import opened
from shiftgym.integrations.session import Session
from shiftgym.messages import assistant, user

ANSWER = "@answer@"
"""A text that is looked for in what the chat template writes."""


class AgentInstance(AgentInstanceBase):
    """One decision of a problem, with as many attempts as the task allows.

    Args:
        reader: the tokenizer, or the processor of a vision-language model. OpenRLHF joins texts, so feedback needs what
            the chat template writes around it.
    """

    session: Session

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    async def reset(self, states: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Open the problem that the label names. What is observed first is the prompt of the data set, whose column
        `images` has the pictures. Later messages show none."""
        self.session = opened(json.loads(states["label"]), pictures="none")
        return {"observation": states["observation"]}

    async def step(self, state_dict: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Judge an answer.

        Returns:
            What OpenRLHF asks for: `rewards`, of this answer; `scores`, 1 once the decision is solved and else 0, which
            dynamic filtering goes by; `environment_feedback`, in the form of the chat template; `done`; and
            `extra_logs`.
        """
        session = self.session
        step = session.step(state_dict["action_text"])
        solved = float(bool(session.info["correct"]))
        return {
            "rewards": np.float64(step.reward),
            "scores": solved,
            "environment_feedback": following(self._reader, session.told) if session.told else "",
            "done": step.done,
            "extra_logs": {"solved": solved, "attempts": float(session.info["attempts"])},
        }


class AgentExecutor(MultiTurnAgentExecutor):
    """What OpenRLHF looks for in an agent file."""

    def __init__(self) -> None:
        super().__init__(AgentInstance)

    async def execute(
        self,
        prompt: str,
        label: str,
        sampling_params: Any,
        max_length: int,
        hf_tokenizer: Any,
        llm_engine: Any,
        images: Any = None,
    ) -> dict[str, Any]:
        """Play one episode; OpenRLHF makes an instance of the agent for each and gives it no tokenizer."""
        self.agent_instance_cls = partial(AgentInstance, hf_tokenizer)
        return await super().execute(prompt, label, sampling_params, max_length, hf_tokenizer, llm_engine, images)


def following(reader: Any, messages: list[dict[str, Any]]) -> str:
    """What the chat template writes from an answer, which the model has ended, up to where the next answer begins.

    Args:
        reader: a tokenizer, or the processor of a vision-language model, whose template takes lists of parts.
        messages: what is told behind the answer.
    """
    tokenizer, sees = getattr(reader, "tokenizer", reader), hasattr(reader, "image_processor")

    def behind(*more: Mapping[str, Any], prompt: bool) -> str:
        said = (user("."), assistant(ANSWER), *more)
        talk = [
            {**each, "content": [{"type": "text", "text": each["content"]}] if sees else each["content"]}
            for each in said
        ]
        whole = reader.apply_chat_template(talk, tokenize=False, add_generation_prompt=prompt)
        return str(whole).partition(ANSWER)[2].lstrip()

    ends = tokenizer(behind(prompt=False), add_special_tokens=False)["input_ids"][:1]
    end = tokenizer.decode(ends) if tokenizer.added_tokens_decoder.keys() & ends else ""
    return behind(*messages, prompt=True).removeprefix(end)
