"""The oracle: answers as the task's own expert does."""

from shiftgym.policies.scripted import ScriptedPolicy
from shiftgym.tasks.base import Task


class ExpertPolicy(ScriptedPolicy):
    """Right at the first attempt, on every problem; what a policy is measured against and SFT learns from."""

    def __init__(self, task: Task) -> None:
        super().__init__(lambda decision, _: task.expert(decision))
