"""What the clients of `shiftgym serve` may ask for. Light to import."""

from dataclasses import dataclass

from shiftgym.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one server takes. The command line has an option for each.

    Args:
        max_sessions: Sessions that are open at the same time. Those that have ended make room for new ones.
        max_batch: Sessions or steps that one request may carry.
        max_text: Characters of one answer.
        max_body: Bytes of one request.
        idle: Seconds after which a session that nobody used is closed.
        life: Seconds after which any session is closed.

    Raises:
        ConfigError: a value is not above 0.
    """

    max_sessions: int = 10_000
    max_batch: int = 1000
    max_text: int = 200_000
    max_body: int = 16_000_000
    idle: float = 3600.0
    life: float = 86_400.0

    def __post_init__(self) -> None:
        for name in ("max_sessions", "max_batch", "max_text", "max_body"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)}: give at least 1")
        for name in ("idle", "life"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} {getattr(self, name):g}: give seconds above 0")


DEFAULT_LIMITS = Limits()
