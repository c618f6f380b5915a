"""Pages of foreign sites, names of other machines and strangers without the token are sent away."""

import asyncio
import json

import pytest

from shiftgym.serving.guard import Guard


def asked(headers, **guard):
    """Status of the reply to a request with these headers; 200 where it was let in."""
    sent = []

    async def inside(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        sent.append(message)

    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    asyncio.run(Guard(inside, **guard)({"type": "http", "headers": raw}, None, send))
    if sent[0]["status"] != 200:
        refusal = json.loads(sent[1]["body"])
        assert refusal["status"] == sent[0]["status"] and "\n" not in refusal["error"]
    return sent[0]["status"]


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "LocalHost:1", "[::1]:8000", "127.0.0.1"])
def test_this_machine_is_let_in(host):
    assert asked({"Host": host}) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "10.0.0.1", "", "[", "é", "a:b:c"]
)
def test_another_name_is_not(host):
    assert asked({"Host": host}) == 403


def test_no_name_is_not():
    assert asked({}) == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:3000", "https://127.0.0.1:8000", ""]
)
def test_pages_of_others_are_not(origin):
    assert asked({"Host": "127.0.0.1:8000", "Origin": origin}) == 403
    assert asked({"Host": "127.0.0.1:8000", "Origin": origin}, hosts=None, token="t") == 403


def test_its_own_page_is():
    assert asked({"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"}) == 200


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("Bearer s3cret", 200),
        ("Bearer s3cre", 401),
        ("s3cret", 401),
        ("bearer S3CRET", 401),
        ("Bearer é", 401),
        (None, 401),
    ],
)
def test_the_token_is_asked_for(given, status):
    headers = {"Host": "gym.example"} | ({} if given is None else {"Authorization": given})
    assert asked(headers, hosts=None, token="s3cret") == status
