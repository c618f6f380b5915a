"""Models on the hub. They are fetched into the cache of huggingface_hub before they are read, so that from there on
they are directories like any other. torch is not imported here: models are fetched before the processes that load them
begin."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from shiftgym.errors import ConfigError
from shiftgym.models.loading.shipped import GGUF

MODELS = ("config.json", "adapter_config.json")
"""Files of which a model has one: that of a whole model, and that of an adapter."""

TEXTS = (".json", ".jinja", ".model", ".txt")
"""Suffixes of the configuration, the tokenizer and the chat template."""

WEIGHTS = (r"(adapter_)?model[^.]*\.safetensors", r"(adapter_|pytorch_)?model[^.]*\.bin")
"""Names of files of weights. The first kind that a model has is taken, since many have their weights in both."""


def fetch(name: str, hub_id: str, revision: str | None, weights: bool = True) -> Path:
    """The directory of a model of the hub in the cache of huggingface_hub, with every file that loading needs.

    The hub is asked once, and not again if it does not answer within seconds (`HF_HUB_ETAG_TIMEOUT`). Where it cannot
    be reached, may not be asked (`HF_HUB_OFFLINE`) or refuses, what is in the cache counts.

    Args:
        name: as the user gave it, for messages.
        hub_id: `owner/name`.
        revision: a branch, tag or commit; None for the main branch.
        weights: whether the weights are fetched too, but for those of a GGUF file, which holds everything.

    Raises:
        ConfigError: neither the hub nor the cache gives the model, or there is none in it.
    """
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        info = HfApi().model_info(hub_id, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        needed = _needed(name, [file.rfilename for file in info.siblings or ()], weights)
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=needed))
    except ConfigError:
        raise
    except Exception as error:  # errors of the hub, and of whichever HTTP library its package was made with
        cached = _cached(hub_id, revision)
        if cached is None:
            raise ConfigError(f"model {name!r} cannot be loaded: {_fault(error, hub_id, revision)}") from error
        return cached


def _needed(name: str, files: Iterable[str], with_weights: bool) -> list[str]:
    """Those of a repository's files that loading its model needs.

    Raises:
        ConfigError: it holds no model, or only GGUF files of which one must be chosen.
    """
    top = [file for file in files if "/" not in file]
    texts = [file for file in top if file.endswith(TEXTS)]
    kinds = ([file for file in top if re.fullmatch(kind, file)] for kind in WEIGHTS)
    weights = next((found for found in kinds if found), [])
    quantised = [file for file in top if file.endswith(GGUF)]
    if weights or not quantised:
        if not {*MODELS} & {*texts}:
            raise ConfigError(f"model {name!r} cannot be loaded: its repository has neither {' nor '.join(MODELS)}")
        return [*texts, *(weights if with_weights else ())]
    if quantised[1:]:
        raise ConfigError(
            f"model {name!r} cannot be loaded: its repository has several GGUF files; download one by `hf download` "
            f"and give its path: {', '.join(sorted(quantised))}"
        )
    return [*texts, *quantised]


def _cached(hub_id: str, revision: str | None) -> Path | None:
    """The directory of a model that was fetched before; None if it was not."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, revision=revision, local_files_only=True, allow_patterns=[]))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def _fault(error: Exception, hub_id: str, revision: str | None) -> str:
    """Why the hub does not give a model that its cache lacks too, and what would help."""
    from huggingface_hub import constants, errors

    if isinstance(error, errors.GatedRepoError):
        page = f"{constants.ENDPOINT}/{hub_id}"
        return f"access to it is restricted; accept its terms on {page} and log in with `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError | errors.HFValidationError):
        return (
            "there is no directory of that name and no such model on the hub; if it is private, log in with "
            "`hf auth login`"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the hub has the model, but no revision {revision!r} of it; give a branch, tag or commit that it has"
    if isinstance(error, errors.OfflineModeIsEnabled):
        why = "the hub may not be asked (HF_HUB_OFFLINE)"
    elif isinstance(error, errors.HfHubHTTPError):
        why = f"the hub answers with status {error.response.status_code}"
    else:
        why = f"the hub cannot be reached ({type(error).__name__})"
    if revision is not None and _cached(hub_id, None) is not None:
        return (
            f"{why}, and its cache has the model, but not its revision {revision!r}; fetch that once with a connection"
        )
    return (
        f"there is no directory of that name, {why}, and its cache has no such model; give a directory, or fetch the "
        "model once with a connection"
    )
