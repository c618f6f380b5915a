"""What a user says about an endpoint: its address, the model it serves, and how it is asked. Light to import."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from shiftgym.errors import ConfigError


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """How an endpoint is asked. The command line has an option for each.

    Args:
        timeout: Seconds that an endpoint may take for one answer.
        tries: How often an endpoint is asked for one answer before it counts as broken. The pauses double.
        parallel: Requests to an endpoint at the same time.

    Raises:
        ConfigError: a value is not above 0.
    """

    timeout: float = 600.0
    tries: int = 8
    parallel: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.timeout < float("inf"):
            raise ConfigError(f"timeout {self.timeout:g}: give seconds above 0")
        for name, value in (("tries", self.tries), ("parallel", self.parallel)):
            if value < 1:
                raise ConfigError(f"{name} {value}: give at least 1")


DEFAULT_SETTINGS = EndpointSettings()


def is_endpoint(name: str) -> bool:
    """Whether a name of something that answers is the URL of an endpoint."""
    return name.startswith(("http://", "https://"))


def endpoint_address(name: str, served: str | None = None) -> tuple[str, str]:
    """The URL and the model of an endpoint that a user names as `URL#MODEL`, or as `URL` with `served` for the model.

    Raises:
        ConfigError: it is no such name, or the model is not named exactly once.
    """
    url, hash_sign, model = name.partition("#")
    check_url(url)
    if hash_sign and served is not None:
        raise ConfigError(f"{name}: the model is named twice, here and by --served {served}")
    named = model if hash_sign else served
    if not named:
        raise ConfigError(f"{name}: an endpoint needs the name of the model that is to answer: {url}#MODEL or --served")
    return url, named


def check_url(url: str) -> None:
    """Raise ConfigError if no request can be sent to `url`."""
    if not is_endpoint(url):
        raise ConfigError(f"{url!r}: the URL of an endpoint starts with http:// or https://")
    try:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise ConfigError(
                "the URL of an endpoint holds no user and no password; its key is read from OPENAI_API_KEY"
            )
        sendable = parts.hostname and (parts.port is None or parts.port > 0) and parts.hostname.encode("idna")
    except ValueError:
        sendable = None
    if not sendable or not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigError(f"{url!r}: no URL of an endpoint; one looks like http://127.0.0.1:8000/v1")
