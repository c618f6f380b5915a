"""Finds a policy, which may be given as such, as a model with its chat format, or by name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from shiftgym.errors import ConfigError
from shiftgym.models.loading.source import find_source
from shiftgym.placement import DEFAULT_PLACEMENT, Placement
from shiftgym.policies.base import Policy
from shiftgym.policies.endpoint import DEFAULT_SETTINGS, EndpointSettings, endpoint_address, is_endpoint
from shiftgym.policies.expert import ExpertPolicy
from shiftgym.policies.openai import OpenAIPolicy
from shiftgym.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from shiftgym.models.conversations.chat import ChatFormat

PolicyLike: TypeAlias = "Policy | tuple[PreTrainedModel, ChatFormat] | str | Path"
"""A policy, the pair from `load_policy`, or a name: `expert`, an endpoint as `URL#MODEL`, or whatever `load_policy`
takes."""


def check_named(name: str) -> None:
    """Find what answers under that name without loading it; what is on the hub is fetched.

    Args:
        name: see `load_named`. An endpoint is not asked.

    Raises:
        ConfigError: there is no such model.
    """
    if name != "expert" and not is_endpoint(name):
        find_source(name)


def load_named(
    name: str,
    *,
    placement: Placement,
    chat_template: str | None = None,
    template_variables: Mapping[str, Any] | None = None,
) -> "str | tuple[PreTrainedModel, ChatFormat]":
    """What answers under that name: a model with its chat format, or the name itself where there is nothing to load.

    Args:
        name: `expert`, an endpoint as `URL#MODEL`, or whatever `load_policy` takes.
        placement: where a model runs and in which form.
        chat_template, template_variables: see `ChatFormat`. `expert` and endpoints have no chat template here.

    Raises:
        ConfigError: there is no such model, or an endpoint is to fill in variables.
    """
    if is_endpoint(name) and template_variables:
        raise ConfigError(f"template_variables: {name} fills its own chat template; give them to the server instead")
    if name == "expert" or is_endpoint(name):
        return name
    from shiftgym.models.loading.load import load_policy

    return load_policy(name, **placement.options, chat_template=chat_template, template_variables=template_variables)


def resolve_policy(
    given: PolicyLike,
    task: Task,
    *,
    max_new_tokens: int,
    seed: int,
    endpoint: EndpointSettings = DEFAULT_SETTINGS,
    placement: Placement = DEFAULT_PLACEMENT,
) -> Callable[[float], Policy]:
    """What answers `task`, as a function of the temperature. A policy object keeps its own.

    Args:
        endpoint: how an endpoint is asked.
        placement: where a model that is given by name runs, and in which form.

    Raises:
        ConfigError: there is no such model or device, or it cannot be used.
    """
    if given == "expert":
        given = ExpertPolicy(task)
    if isinstance(given, str) and is_endpoint(given):
        url, model = endpoint_address(given)
        return OpenAIPolicy(model, base_url=url, max_tokens=max_new_tokens, settings=endpoint).at
    if isinstance(given, str | Path):
        from shiftgym.models.loading.load import load_policy

        given = load_policy(str(given), **placement.options)
    if not isinstance(given, tuple):
        policy = given
        return lambda _: policy
    from shiftgym.models.generation.policy import model_policy

    loaded, chat_format = given
    return lambda temperature: model_policy(
        loaded, chat_format, temperature=temperature, max_new_tokens=max_new_tokens, seed=seed
    )
