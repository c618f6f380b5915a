"""The reward function of verl, for one attempt at each decision.

    reward.custom_reward_function.path=pkg://shiftgym.integrations.verl

It needs no verl, and the data are written by `shiftgym data verl train.parquet`. Several attempts with feedback are
played by the agent loop in `verl_agent_loop.py`, which judges by itself.
"""

from collections.abc import Mapping
from typing import Any

from shiftgym.errors import DataError
from shiftgym.integrations.problems import opened
from shiftgym.integrations.session import Session


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,  # noqa: ARG001
    extra_info: Mapping[str, Any] | None = None,
    **_: Any,
) -> dict[str, Any]:
    """The verdict on one answer, as verl's reward managers call for it.

    Args:
        solution_str: the answer.
        extra_info: that column of the data set, which names the problem and says all it takes to judge an answer.

    Returns:
        `scored`, with the reward of the answer as the score.

    Raises:
        DataError: the data set was not written by shiftgym.
    """
    if not extra_info or "settings" not in extra_info:
        raise DataError(f"{data_source}: extra_info names no problem; write the data by `shiftgym data verl FILE`")
    session = opened(extra_info, pictures="none")
    session.step(solution_str)
    return scored(session)


def scored(session: Session) -> dict[str, Any]:
    """What verl logs of an episode: `score`, the sum of its rewards; `acc`, 1 if it was solved and else 0; outcome and
    feedback of the last answer."""
    told = session.info
    return {
        "score": told["total_reward"],
        "acc": float(bool(told["correct"])),
        "outcome": told["outcome"],
        "feedback": told["feedback"],
    }
