"""The agent loop of verl: sequential revision of one decision, token in and token out.

verl finds it by a file that `actor_rollout_ref.rollout.agent.agent_loop_config_path` names and that says

    - name: shiftgym
      _target_: shiftgym.integrations.verl_agent_loop.ShiftgymAgentLoop

and plays it with `actor_rollout_ref.rollout.agent.default_agent_loop=shiftgym`. Data are as for the reward function in
`verl.py`, which is not called here.
"""

from typing import Any
from uuid import uuid4

from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopOutput, register
from verl.utils.profiler import simple_timer
from verl.utils.rollout_trace import rollout_trace_op

from shiftgym.integrations.problems import opened
from shiftgym.integrations.verl import scored
from shiftgym.messages import assistant


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
    async def run(self, sampling_params: dict[str, Any], priority: int = 0, **kwargs: Any) -> AgentLoopOutput:
        """Play the decision that `extra_info` names.

        Args:
            sampling_params: of the rollout; each answer may be as long as there is room left.
            priority: of the sample among all others.
            kwargs: the columns of the data set.
        """
        room = self.rollout_config.response_length
        session = await self.loop.run_in_executor(None, opened, kwargs["extra_info"])
        seen = await self.process_multi_modal_info(session.messages)
        self._assert_mm_supported(bool(seen))
        ids = await self.ct_build_initial_tokens(session.messages, images=seen.get("images"))
        mask: list[int] = []
        logprobs: list[float] | None = [] if sampling_params.get("logprobs") else None
        request_id = f"det-{priority}" if self.rollout_config.full_determinism else uuid4().hex
        metrics: dict[str, Any] = {"num_preempted": -1}
        rewards: list[float] = []
        first_step = None

        while not session.done:
            with simple_timer("generate_sequences", metrics):
                output = await self.server_manager.generate(
                    request_id=request_id,
                    prompt_ids=ids,
                    sampling_params={**sampling_params, "max_tokens": room - len(mask)},
                    image_data=seen.get("images"),
                    mm_processor_kwargs=self._get_mm_processor_kwargs(),
                    priority=int(priority),
                )
            if output.num_preempted is not None:
                metrics["num_preempted"] = max(metrics["num_preempted"], 0) + output.num_preempted
            first_step = output.extra_fields.get("min_global_steps") if first_step is None else first_step
            merged, mask, logprobs = await self.ct_merge_assistant_token(
                ids, output.token_ids, mask, logprobs, output.log_probs if logprobs is not None else None
            )
            ids = merged.token_ids

            text = self.tokenizer.decode(output.token_ids, skip_special_tokens=True)
            answered = [*session.messages, assistant(text)]
            rewards.append(session.step(text).reward)
            if session.done:
                break
            merged, longer, padded = await self.ct_merge_context_msg(answered, session.messages, ids, mask, logprobs)
            if len(longer) >= room:
                rewards.append(session.step("", "too_long").reward)
            else:
                ids, mask, logprobs = merged.token_ids, longer, padded

        start = len(ids) - len(mask)
        return AgentLoopOutput(
            prompt_ids=ids[:start],
            response_ids=ids[start:],
            response_mask=mask,
            response_logprobs=logprobs,
            routed_experts=output.routed_experts,
            multi_modal_data=seen,
            mm_processor_kwargs=self._get_mm_processor_kwargs(),
            reward_score=session.reward,
            num_turns=2 * session.info["attempts"],
            metrics=metrics,
            extra_fields={
                **output.extra_fields,
                "min_global_steps": first_step,
                "reward_extra_info": scored(session),
                "turn_scores": rewards,
                "tool_rewards": [],
            },
        )
