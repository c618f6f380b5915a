"""Requests that are sent again, and what is said meanwhile."""

import email.utils
import json
import socket
import threading
import time

import pytest

from shiftgym.errors import ConfigError
from shiftgym.policies.endpoint import EndpointSettings
from shiftgym.policies.faults import Fault
from shiftgym.policies.transport import SHOWN, Transport

FINE = {"choices": [{"message": {"content": "1"}}]}


def transport(url, tries=3, pause=0.0, timeout=20.0):
    return Transport(url, "OPENAI_API_KEY", EndpointSettings(timeout=timeout, tries=tries), pause)


def post(sender, tries=None):
    return sender.post({"model": "m"}, threading.Event(), tries)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 501, 502, 503, 504, 520, 529, 599])
def test_what_may_pass_is_asked_again_with_one_line_a_wait(serve, capsys, status):
    server = serve(lambda number, _: (200, FINE) if number == 2 else (status, {"error": {"message": "Not now"}}))
    assert post(transport(server.url)) == FINE
    assert capsys.readouterr().err.splitlines() == [
        f"{server.url}: HTTP {status} Not now; waits 0 s, then try {number} of 3" for number in (2, 3)
    ]


@pytest.mark.parametrize("reply", [b"<html>", b"", {"error": {"message": "x", "code": 502}}, {"error": "x"}, {"x": 1}])
def test_a_reply_of_status_200_that_is_none_is_asked_again(serve, reply):
    server = serve(lambda number, _: (200, reply if number < 2 else FINE))
    assert post(transport(server.url)) == FINE


@pytest.mark.parametrize(
    ("status", "reply", "requests", "shown"),
    [
        (503, {"error": {"message": "Loading model"}}, 3, "HTTP 503 Loading model (try 3 of 3)"),
        (401, {"error": {"message": "bad key sk-1"}}, 1, "HTTP 401 bad key [key]; the key is read from OPENAI_API_KEY"),
        (403, {"error": {"message": "no access"}}, 1, "HTTP 403 no access; the key is read from OPENAI_API_KEY"),
        (404, {"error": "model 'm' not found"}, 1, "HTTP 404 model 'm' not found; is the model's name right"),
        (402, {"error": {"message": "Insufficient Balance"}}, 1, "HTTP 402 Insufficient Balance"),
        (429, {"error": {"message": "no", "code": "insufficient_quota"}}, 1, "HTTP 429 no"),
        (400, {"error": {"message": "no pictures"}}, 1, "HTTP 400 no pictures"),
        (200, b"<html>sk-1", 3, "a body that is no JSON (application/json): <html>[key] (try 3 of 3)"),
    ],
)
def test_in_the_end_there_is_one_line_without_the_key(serve, monkeypatch, status, reply, requests, shown):
    server = serve(lambda *_: (status, reply))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    with pytest.raises(Fault) as caught:
        post(transport(server.url))
    assert shown in str(caught.value)
    assert str(caught.value).startswith(f"{server.url}: ")
    assert "\n" not in str(caught.value)
    assert len(server.requests) == requests
    assert server.requests[0][1]["Authorization"] == "Bearer sk-1"


def test_without_a_key_none_is_sent_and_the_line_says_so(serve):
    server = serve(lambda *_: (401, {"error": "who are you?"}))
    with pytest.raises(Fault, match="OPENAI_API_KEY, which is not set"):
        post(transport(server.url))
    assert "Authorization" not in server.requests[0][1]


@pytest.mark.parametrize("key", ["sk-\n1", "sk-é", "a\tb"])
def test_a_key_that_no_header_may_hold_is_not_repeated(monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY: a key holds only") as caught:
        transport("http://127.0.0.1:1/v1")
    assert key not in str(caught.value)


def test_a_message_is_shown_on_one_line_and_cut_without_cutting_the_key(serve, monkeypatch):
    server = serve(lambda *_: (400, {"error": "Bad\n  \x1b[31m" + "x" * 270 + " secret-key " + "y" * 10_000}))
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    with pytest.raises(Fault) as caught:
        post(transport(server.url))
    shown = str(caught.value)
    assert shown.startswith(f"{server.url}: HTTP 400 Bad [31mxxx")
    assert "secret" not in shown
    assert len(shown) == len(f"{server.url}: ") + SHOWN + len(" ...")


def test_a_redirect_is_refused(serve):
    server = serve(lambda *_: (302, b"", {"Location": "http://127.0.0.1:1/v2"}))
    with pytest.raises(Fault, match="HTTP 302 redirects to http://127.0.0.1:1/v2; give the URL that answers"):
        post(transport(server.url))
    assert len(server.requests) == 1


def test_the_query_of_a_url_is_sent_and_not_shown(serve):
    server = serve(lambda *_: (400, {"error": "no"}))
    with pytest.raises(Fault) as caught:
        post(transport(f"{server.url}/?version=2&key=abc"))
    assert str(caught.value) == f"{server.url}: HTTP 400 no"
    assert server.requests[0][0] == "/v1/chat/completions?version=2&key=abc"


def test_nobody_listens(capsys):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        sender = transport(f"http://127.0.0.1:{bound.getsockname()[1]}/v1", tries=2)
        with pytest.raises(Fault, match=r"connection refused; is the server running\? \(try 2 of 2\)") as caught:
            post(sender)
    assert caught.value.kind == "busy"
    assert "is the server running?; waits 0 s, then try 2 of 2" in capsys.readouterr().err


def test_an_answer_that_takes_too_long(serve):
    release = threading.Event()
    server = serve(lambda *_: (release.wait(5), (200, FINE))[1])
    with pytest.raises(Fault, match=r"no answer within 0.1 s \(the setting is timeout\)"):
        post(transport(server.url, tries=1, timeout=0.1))
    release.set()


@pytest.mark.parametrize("status", [200, 500])
def test_a_body_that_breaks_off_is_asked_again(serve, status):
    server = serve(
        lambda number, _: (200, FINE) if number else (status, b'{"cho', {"Content-Length": "99", "Connection": "close"})
    )
    assert post(transport(server.url)) == FINE
    assert len(server.requests) == 2


def in_an_hour():
    return email.utils.formatdate(time.time() + 3600, usegmt=True)


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        ("0.02", 0.02),
        (" 0 ", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        *[(odd, 0.0) for odd in ("soon", "-3", "nan", "inf", "²", "", "Mon, 99 Foo 99999 99:99:99 GMT")],
    ],
)
def test_the_wait_that_the_endpoint_asks_for(serve, capsys, header, waits):
    reply = {"error": {"message": "busy"}}
    server = serve(lambda number, _: (200, FINE) if number else (429, reply, {"Retry-After": header}))
    post(transport(server.url))
    assert f"waits {waits:g} s" in capsys.readouterr().err


@pytest.mark.parametrize("header", ["3600", in_an_hour()], ids=["seconds", "date"])
def test_an_endpoint_that_asks_to_wait_for_long_is_not_waited_for(serve, header):
    server = serve(lambda *_: (429, {"error": {"message": "daily limit"}}, {"Retry-After": header}))
    with pytest.raises(Fault, match=r"HTTP 429 daily limit; it asks to wait 3\d\d\d s; try again then"):
        post(transport(server.url))
    assert len(server.requests) == 1


def test_pauses_double_and_many_that_wait_say_it_once(serve, capsys):
    gathered = threading.Barrier(4)

    def script(number, _):
        if number < 4:
            gathered.wait(10)
            return 503, {"error": {"message": "busy"}}
        return 200, FINE

    sender = transport(serve(script).url, pause=0.3)
    threads = [threading.Thread(target=post, args=(sender,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert capsys.readouterr().err.count("waits 0.3 s, then try 2 of 3") == 1


def test_the_pause_doubles(serve, capsys):
    post(transport(serve(lambda number, _: (200, FINE) if number == 2 else (503, {})).url, pause=0.01))
    first, second = capsys.readouterr().err.splitlines()
    assert "waits 0.01 s" in first
    assert "waits 0.02 s" in second


def test_once_it_is_to_stop_nothing_is_sent_again(serve):
    server = serve(lambda *_: (503, {}))
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(Fault, match="the evaluation has ended"):
        transport(server.url, pause=60).post({}, stop)
    assert len(server.requests) == 1


def test_any_text_can_be_sent(serve):
    server = serve(lambda *_: (200, FINE))
    transport(server.url).post({"messages": ["\ud800 \0 é"]}, threading.Event())
    assert json.dumps(server.bodies[0]) == json.dumps({"messages": ["\ud800 \0 é"]})
