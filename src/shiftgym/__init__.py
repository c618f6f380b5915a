"""shiftgym: does my training recipe memorise, or does it generalise?

Everything listed in `__all__` is public. Names are loaded when they are first used, so `import shiftgym` stays quick
and brings in torch only once a model is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str

    from shiftgym.candidates.compared import Compared as Compared
    from shiftgym.candidates.compared import compare as compare
    from shiftgym.episodes import Episode as Episode
    from shiftgym.errors import ConfigError as ConfigError
    from shiftgym.errors import DataError as DataError
    from shiftgym.errors import ShiftgymError as ShiftgymError
    from shiftgym.errors import TrainingStopped as TrainingStopped
    from shiftgym.evaluation.evaluate import Evaluation as Evaluation
    from shiftgym.evaluation.evaluate import evaluate as evaluate
    from shiftgym.evaluation.play import play as play
    from shiftgym.evaluation.statistics import Interval as Interval
    from shiftgym.evaluation.statistics import difference as difference
    from shiftgym.evaluation.statistics import estimate as estimate
    from shiftgym.integrations.problems import Problems as Problems
    from shiftgym.integrations.session import Session as Session
    from shiftgym.messages import Message as Message
    from shiftgym.messages import Messages as Messages
    from shiftgym.messages import Picture as Picture
    from shiftgym.messages import assistant as assistant
    from shiftgym.messages import user as user
    from shiftgym.models.conversations.chat import ChatFormat as ChatFormat
    from shiftgym.models.conversations.conversation import Conversation as Conversation
    from shiftgym.models.generation.generate import ModelPolicy as ModelPolicy
    from shiftgym.models.generation.policy import model_policy as model_policy
    from shiftgym.models.loading.load import load_policy as load_policy
    from shiftgym.placement import Placement as Placement
    from shiftgym.policies.base import Answer as Answer
    from shiftgym.policies.base import Chat as Chat
    from shiftgym.policies.base import Policy as Policy
    from shiftgym.policies.base import Transcript as Transcript
    from shiftgym.policies.endpoint import EndpointSettings as EndpointSettings
    from shiftgym.policies.expert import ExpertPolicy as ExpertPolicy
    from shiftgym.policies.openai import OpenAIPolicy as OpenAIPolicy
    from shiftgym.policies.scripted import ScriptedPolicy as ScriptedPolicy
    from shiftgym.reports.notebook import Run as Run
    from shiftgym.reports.page import build_report as build_report
    from shiftgym.seeds import derive as derive
    from shiftgym.seeds import rng as rng
    from shiftgym.studies.config import Study as Study
    from shiftgym.studies.config import load_study as load_study
    from shiftgym.studies.run import resume_study as resume_study
    from shiftgym.studies.run import run_study as run_study
    from shiftgym.tasks.base import Decision as Decision
    from shiftgym.tasks.base import Diagnosis as Diagnosis
    from shiftgym.tasks.base import Problem as Problem
    from shiftgym.tasks.base import Task as Task
    from shiftgym.tasks.check import check_task as check_task
    from shiftgym.tasks.registry import build_task as build_task
    from shiftgym.tasks.registry import load_task as load_task
    from shiftgym.training.check import check_recipe as check_recipe
    from shiftgym.training.recipe import Collection as Collection
    from shiftgym.training.recipe import PolicyGradient as PolicyGradient
    from shiftgym.training.recipe import Recipe as Recipe
    from shiftgym.training.registry import load_recipe as load_recipe
    from shiftgym.training.settings import LoraSettings as LoraSettings
    from shiftgym.training.settings import OptimizerSettings as OptimizerSettings
    from shiftgym.training.settings import RolloutSettings as RolloutSettings
    from shiftgym.training.settings import SamplingSettings as SamplingSettings
    from shiftgym.training.settings import SupervisedSettings as SupervisedSettings
    from shiftgym.training.settings import TrainingSettings as TrainingSettings
    from shiftgym.training.trainer import train as train
    from shiftgym.verdicts import Verdict as Verdict

_HOMES = {
    "Answer": "policies.base",
    "Chat": "policies.base",
    "ChatFormat": "models.conversations.chat",
    "Collection": "training.recipe",
    "Compared": "candidates.compared",
    "ConfigError": "errors",
    "Conversation": "models.conversations.conversation",
    "DataError": "errors",
    "Decision": "tasks.base",
    "Diagnosis": "tasks.base",
    "EndpointSettings": "policies.endpoint",
    "Episode": "episodes",
    "Evaluation": "evaluation.evaluate",
    "ExpertPolicy": "policies.expert",
    "Interval": "evaluation.statistics",
    "LoraSettings": "training.settings",
    "Message": "messages",
    "Messages": "messages",
    "ModelPolicy": "models.generation.generate",
    "OpenAIPolicy": "policies.openai",
    "OptimizerSettings": "training.settings",
    "Picture": "messages",
    "Placement": "placement",
    "Policy": "policies.base",
    "PolicyGradient": "training.recipe",
    "Problem": "tasks.base",
    "Problems": "integrations.problems",
    "Recipe": "training.recipe",
    "RolloutSettings": "training.settings",
    "Run": "reports.notebook",
    "SamplingSettings": "training.settings",
    "ScriptedPolicy": "policies.scripted",
    "Session": "integrations.session",
    "ShiftgymError": "errors",
    "Study": "studies.config",
    "SupervisedSettings": "training.settings",
    "Task": "tasks.base",
    "TrainingSettings": "training.settings",
    "TrainingStopped": "errors",
    "Transcript": "policies.base",
    "Verdict": "verdicts",
    "assistant": "messages",
    "build_report": "reports.page",
    "build_task": "tasks.registry",
    "check_recipe": "training.check",
    "check_task": "tasks.check",
    "compare": "candidates.compared",
    "derive": "seeds",
    "difference": "evaluation.statistics",
    "estimate": "evaluation.statistics",
    "evaluate": "evaluation.evaluate",
    "load_policy": "models.loading.load",
    "load_recipe": "training.registry",
    "load_study": "studies.config",
    "load_task": "tasks.registry",
    "model_policy": "models.generation.policy",
    "play": "evaluation.play",
    "resume_study": "studies.run",
    "rng": "seeds",
    "run_study": "studies.run",
    "train": "training.trainer",
    "user": "messages",
}
"""Where each public name lives."""

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("shiftgym")
    if name not in _HOMES:
        raise AttributeError(f"module 'shiftgym' has no attribute {name!r}")
    return getattr(import_module(f"shiftgym.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
