"""The agent loop of verl: sequential revision of one decision, token in and token out.

verl finds it by a file that `actor_rollout_ref.rollout.agent.agent_loop_config_path` names and that says

    - name: shiftgym
      _target_: shiftgym.integrations.verl_agent_loop.ShiftgymAgentLoop

and plays it with `actor_rollout_ref.rollout.agent.default_agent_loop=shiftgym`. The data are those of the reward
function in `verl.py`, which is not called here.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopOutput, register
from verl.utils.profiler import simple_timer
from verl.utils.rollout_trace import rollout_trace_op
from verl.workers.rollout.replica import TokenOutput

from shiftgym.integrations.problems import opened
from shiftgym.integrations.session import Session
from shiftgym.integrations.verl import scored
from shiftgym.messages import assistant


@dataclass
class _Conversation:
    """What the model read and wrote so far."""

    request_id: str
    """Of all requests of the conversation, which go to one server."""
    images: dict[str, Any]
    """The pictures of the prompt as verl hands them on; empty where there are none."""
    ids: list[int]
    """All tokens: prompt, answers, feedback."""
    logprobs: list[float] | None
    """Of each token behind the prompt, 0 for feedback; None where they are not asked for."""
    mask: list[int] = field(default_factory=list)
    """Of each token behind the prompt: 1 if it was generated, 0 for feedback."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """Time and preemptions of all requests."""
    answers: int = 0
    """How many were given."""
    first_step: int | None = None
    """The training step whose weights began the conversation; each output names that which ended it."""


@register("shiftgym")
class ShiftgymAgentLoop(AgentLoopBase):
    """One decision of a problem, with as many attempts as the task allows.

    The response is every answer and every verifier message. Only the tokens of answers have mask 1, and they are the
    tokens that were generated: nothing is tokenised again. What stands between an answer and the next message is what
    verl's own builder says for the model. The score is the sum of the rewards of all attempts.

    All attempts share `rollout.response_length`. Where the next one has no room in it, the decision has ended, as
    `play` ends one that is too long for its model.
    """

    @rollout_trace_op
    async def run(self, sampling_params: dict[str, Any], priority: int = 0, **columns: Any) -> AgentLoopOutput:
        """Play the decision that `extra_info` names.

        Args:
            sampling_params: of the rollout; each answer may be as long as there is room left.
            priority: of the sample among all others.
            columns: of the data set.
        """
        session = await self.loop.run_in_executor(None, opened, columns["extra_info"])
        prompt = self._shown(session.messages)
        images = await self.process_multi_modal_info(prompt)
        self._assert_mm_supported(bool(images))
        conversation = _Conversation(
            f"det-{priority}" if self.rollout_config.full_determinism else uuid4().hex,
            images,
            await self.ct_build_initial_tokens(prompt, images=images.get("images")),
            [] if sampling_params.get("logprobs") else None,
        )
        rewards: list[float] = []
        while not session.done:
            output = await self._answered(conversation, sampling_params, int(priority))
            text = self.tokenizer.decode(output.token_ids, skip_special_tokens=True)
            before = [*session.messages, assistant(text)]
            rewards.append(session.step(text).reward)
            if not (session.done or await self._told(conversation, before, session.messages)):
                rewards.append(session.step("", "too_long").reward)
        return self._output(conversation, session, rewards, output)

    async def _answered(
        self, conversation: _Conversation, sampling_params: dict[str, Any], priority: int
    ) -> TokenOutput:
        """Have the model answer."""
        room = self.rollout_config.response_length - len(conversation.mask)
        with simple_timer("generate_sequences", conversation.metrics):
            output = await self.server_manager.generate(
                request_id=conversation.request_id,
                prompt_ids=conversation.ids,
                sampling_params={**sampling_params, "max_tokens": room},
                image_data=conversation.images.get("images"),
                mm_processor_kwargs=self._get_mm_processor_kwargs(),
                priority=priority,
            )
        merged, conversation.mask, conversation.logprobs = await self.ct_merge_assistant_token(
            conversation.ids,
            output.token_ids,
            conversation.mask,
            conversation.logprobs,
            assistant_logprobs=None if conversation.logprobs is None else output.log_probs,
        )
        conversation.ids = merged.token_ids
        conversation.answers += 1
        if output.num_preempted is not None:
            conversation.metrics["num_preempted"] = conversation.metrics.get("num_preempted", 0) + output.num_preempted
        if conversation.first_step is None:
            conversation.first_step = output.extra_fields.get("min_global_steps")
        return output

    async def _told(self, conversation: _Conversation, before: list[dict[str, Any]], now: list[dict[str, Any]]) -> bool:
        """Add what came behind the messages `before`; False, and nothing is added, where no answer has room then."""
        merged, mask, logprobs = await self.ct_merge_context_msg(
            self._shown(before), self._shown(now), conversation.ids, conversation.mask, conversation.logprobs
        )
        if len(mask) >= self.rollout_config.response_length:
            return False
        conversation.ids, conversation.mask, conversation.logprobs = merged.token_ids, mask, logprobs
        return True

    def _shown(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Messages as the chat template takes them: that of a processor may know no content but lists of parts."""
        if self.processor is None:
            return messages
        return [
            {**message, "content": [{"type": "text", "text": message["content"]}]}
            if isinstance(message["content"], str)
            else message
            for message in messages
        ]

    def _output(
        self, conversation: _Conversation, session: Session, rewards: list[float], last: TokenOutput
    ) -> AgentLoopOutput:
        start = len(conversation.ids) - len(conversation.mask)
        return AgentLoopOutput(
            prompt_ids=conversation.ids[:start],
            response_ids=conversation.ids[start:],
            response_mask=conversation.mask,
            response_logprobs=conversation.logprobs,
            routed_experts=last.routed_experts,
            multi_modal_data=conversation.images,
            mm_processor_kwargs=self._get_mm_processor_kwargs(),
            reward_score=session.reward,
            num_turns=2 * conversation.answers,
            metrics=conversation.metrics,
            extra_fields={
                **last.extra_fields,
                "min_global_steps": conversation.first_step,
                "reward_extra_info": scored(session),
                "turn_scores": rewards,
                "tool_rewards": [],
            },
        )
