"""TRL: the tasks in its GRPOTrainer, and shifts measured inside its trainings.

    from shiftgym.integrations.trl import ShiftCallback, dataset, environment_factory, reward_funcs, rollout_func

The last three bear the names of the arguments of `GRPOTrainer` that they are given as.
"""

from shiftgym.integrations.trl.callback import ShiftCallback
from shiftgym.integrations.trl.data import dataset
from shiftgym.integrations.trl.environment import environment_factory
from shiftgym.integrations.trl.rewards import reward_funcs
from shiftgym.integrations.trl.rollouts import rollout_func

__all__ = ["ShiftCallback", "dataset", "environment_factory", "reward_funcs", "rollout_func"]
