"""What may be said of a server's limits."""

import pytest

from shiftgym.errors import ConfigError
from shiftgym.integrations.limits import Limits


@pytest.mark.parametrize(
    "wrong", [{"max_sessions": 0}, {"max_batch": -1}, {"max_text": 0}, {"max_body": 0}, {"idle": 0.0}, {"life": -1.0}]
)
def test_a_limit_is_above_zero(wrong):
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"{name} .*: give"):
        Limits(**wrong)


@pytest.mark.parametrize("endless", [float("inf"), float("nan")])
def test_no_session_lives_for_ever(endless):
    with pytest.raises(ConfigError, match="life"):
        Limits(life=endless)
