"""Foreign pages and strangers are refused in a page of one line, and a token that was given once is remembered."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from tests.view.run_folders import ask

from shiftgym.view.entrance import HEADERS, PAGE_POLICY, REPORT_POLICY, Entrance, SafeHeaders


def asked(url="/run/a/?x=1&y=%C3%A9", token=None, **headers):
    """Status, headers and text of what the entrance replies; the text of a reply from inside is `inside`."""

    def refuse(_scope, status, message):
        return PlainTextResponse(message, status)

    inside = PlainTextResponse("inside", headers={"Cache-Control": "private"})
    app = SafeHeaders(Entrance(inside, refuse, None if token else frozenset({"127.0.0.1"}), token, "name"))
    return asyncio.run(ask(app, url, headers={name.replace("_", "-"): value for name, value in headers.items()}))


def test_every_reply_has_the_headers_of_a_careful_server():
    for reply in (asked(), asked(host="evil.example")):
        assert {name.lower(): value for name, value in HEADERS.items() if name != "Cache-Control"}.items() <= reply[
            1
        ].items()
    assert asked()[1]["cache-control"] == "private", "what a reply says itself stays"
    assert asked(host="evil.example")[1]["cache-control"] == "no-store"


def test_nothing_may_run_but_files_of_this_server():
    page, report = (
        dict(rule.partition(" ")[::2] for rule in policy.split("; ")) for policy in (PAGE_POLICY, REPORT_POLICY)
    )
    for policy in (page, report):
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert page["script-src"] == page["style-src"] == page["connect-src"] == "'self'"
    assert "allow-same-origin" not in report["sandbox"] and "connect-src" not in report


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:8017"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"},
    ],
)
def test_pages_of_others_are_refused(headers):
    status, _, text = asked(**headers)
    assert status == 403 and "\n" not in text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "127.0.0.1"},
        {"origin": "http://127.0.0.1:8017"},
        {"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"},
        {"sec_fetch_site": "none", "sec_fetch_mode": "navigate"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
    ],
)
def test_its_own_pages_and_who_follows_a_link_are_not(headers):
    assert asked(**headers)[2] == "inside"


def test_the_token_is_asked_for_once():
    """It is given in the URL, which then says it no longer; the cookie does not tell it."""
    status, headers, _ = asked("/run/a/?x=1&token=s%C3%A9cret&y=%C3%A9", token="sécret")
    assert (status, headers["location"]) == (303, "./?x=1&y=%C3%A9")
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} == set(attributes)
    assert "cret" not in cookie and cookie.startswith("name=")
    assert asked(token="sécret", cookie=f"other=1; {cookie}")[2] == "inside"
    assert asked(token="another", cookie=cookie)[0] == 401
    assert asked("/run/a?token=s%C3%A9cret", token="sécret")[1]["location"] == "./a"
    assert asked("/?token=s%C3%A9cret", token="sécret")[1]["location"] == "./"


@pytest.mark.parametrize(
    ("url", "headers", "status"),
    [
        ("/", {}, 401),
        ("/static/page.css", {}, 200),
        ("/static/page.css", {"origin": "http://evil.example"}, 403),
        ("/run/static/", {}, 401),
        ("/?token=", {}, 401),
        ("/?token=wrong", {}, 401),
        ("/?token=%FF%00", {}, 401),
        ("/?other=secret", {}, 401),
        ("/", {"cookie": "name=secret"}, 401),
        ("/", {"cookie": 'name="\\"; =; é'}, 401),
        ("/", {"authorization": "Bearer wrong"}, 401),
        ("/", {"authorization": "Bearer secret"}, 200),
        ("/", {"authorization": "Bearer secret", "origin": "http://evil.example"}, 403),
        ("/?token=secret", {"host": "any.example", "sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, 403),
        ("/?token=secret", {"host": "any.example"}, 303),
    ],
)
def test_who_has_no_token_is_refused(url, headers, status):
    assert asked(url, token="secret", **headers)[0] == status
