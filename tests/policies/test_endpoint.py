"""How users name an endpoint, and how it is asked."""

import pytest

from shiftgym.errors import ConfigError
from shiftgym.policies.endpoint import EndpointSettings, check_url, endpoint_address, is_endpoint


@pytest.mark.parametrize(
    ("name", "served", "address"),
    [
        ("http://127.0.0.1:8000/v1#qwen", None, ("http://127.0.0.1:8000/v1", "qwen")),
        ("https://api.x.ai/v1#org/model:free", None, ("https://api.x.ai/v1", "org/model:free")),
        ("http://127.0.0.1:8000/v1", "qwen", ("http://127.0.0.1:8000/v1", "qwen")),
        ("http://[::1]:8000/v1#a#b", None, ("http://[::1]:8000/v1", "a#b")),
    ],
)
def test_an_endpoint_is_a_url_and_a_model(name, served, address):
    assert is_endpoint(name)
    assert endpoint_address(name, served) == address


@pytest.mark.parametrize(
    ("name", "served", "reason"),
    [
        ("http://127.0.0.1:8000/v1", None, "needs the name of the model"),
        ("http://127.0.0.1:8000/v1#", None, "needs the name of the model"),
        ("http://127.0.0.1:8000/v1#a", "b", "named twice"),
        ("points-0", "b", "starts with http://"),
    ],
)
def test_the_model_is_named_once(name, served, reason):
    with pytest.raises(ConfigError, match=reason):
        endpoint_address(name, served)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///v1",
        "http://a:99999/v1",
        "http://a b/v1",
        "http://a..b/v1",
        "http://[a/v1",
        "http://a/é",
        "http://a/\n",
    ],
)
def test_a_url_that_no_request_can_be_sent_to(url):
    with pytest.raises(ConfigError, match="looks like http://127.0.0.1:8000/v1"):
        check_url(url)


def test_a_password_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(ConfigError, match="read from OPENAI_API_KEY") as caught:
        check_url("http://me:hunter2@127.0.0.1/v1")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("values", [{"timeout": 0}, {"timeout": float("inf")}, {"tries": 0}, {"parallel": 0}])
def test_settings_are_above_0(values):
    with pytest.raises(ConfigError, match=f"{next(iter(values))} .*: give"):
        EndpointSettings(**values)


def test_an_answer_may_take_minutes():
    assert EndpointSettings().timeout >= 300
