"""The endpoint policy against a small server on this machine."""

import base64
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from shiftgym.episodes import play
from shiftgym.errors import ConfigError, DataError
from shiftgym.policies.openai import OpenAIPolicy
from shiftgym.tasks.registry import build_task

TASK = build_task("points")
PROBLEMS = [TASK.problem("train", index) for index in range(4)]


class Endpoint:
    """Answers each request with what `script` says for its number: (status, body) or (status, body, headers)."""

    def __init__(self, script):
        self.requests, lock = [], threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler):  # noqa: N805
                body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
                with lock:
                    self.requests.append((handler.path, dict(handler.headers), body))
                    number = len(self.requests) - 1
                status, reply, *headers = script(number, body)
                handler.send_response(status)
                for key, value in (headers[0] if headers else {}).items():
                    handler.send_header(key, value)
                handler.end_headers()
                handler.wfile.write(reply if isinstance(reply, bytes) else json.dumps(reply).encode())

            def log_message(handler, *args):  # noqa: N805
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def said(text, finish="stop"):
    return {"choices": [{"message": {"content": text}, "finish_reason": finish}], "usage": {"completion_tokens": 7}}


def policy(endpoint, **settings):
    return OpenAIPolicy("some-model", base_url=endpoint.url, pause=0.01, **settings)


def test_episodes_through_an_endpoint(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    experts = {TASK.start(p).prompt[0]["content"]: TASK.expert(TASK.start(p)) for p in PROBLEMS}

    def script(_, body):
        first = len(body["messages"]) == 1
        return 200, said("hm", "length") if first else said(experts[body["messages"][0]["content"]])

    with Endpoint(script) as endpoint:
        episodes = play(policy(endpoint, temperature=0.5, max_tokens=99), TASK, PROBLEMS)
    assert all(episode.success and len(episode.decisions[0].attempts) == 2 for episode in episodes)
    first, second = episodes[0].decisions[0].attempts
    assert (first.stop, second.stop, second.tokens) == ("length", "end", 7)
    path, headers, body = endpoint.requests[-1]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret-key"
    assert {key: body[key] for key in ("model", "temperature", "max_tokens")} == {
        "model": "some-model",
        "temperature": 0.5,
        "max_tokens": 99,
    }
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]


def test_a_failure_that_may_pass_is_tried_again(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Endpoint(lambda n, _: (503, b"busy") if n < 2 else (200, said("1"))) as endpoint:
        play(policy(endpoint), TASK, PROBLEMS[:1], limit=1)
    assert len(endpoint.requests) == 3
    assert "Authorization" not in endpoint.requests[0][1]


@pytest.mark.parametrize(
    ("script", "reason", "requests"),
    [
        (lambda n, _: (401, b"bad key secret-key"), r"HTTP 401 bad key \[key\]", 1),
        (lambda n, _: (429, b"slow\ndown", {"Retry-After": "0"}), "HTTP 429 slow down .try 3 of 3", 3),
        (lambda n, _: (200, b"<html>"), "not JSON", 1),
        (lambda n, _: (200, {"error": "no"}), "no choices", 1),
        (lambda n, _: (200, {"choices": []}), "no choices", 1),
        (lambda n, _: (302, b"", {"Location": "http://127.0.0.1:1/"}), "HTTP 302", 1),
    ],
)
def test_what_cannot_be_mended_is_one_clear_line(script, reason, requests, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    with Endpoint(script) as endpoint, pytest.raises(DataError, match=reason) as caught:
        play(policy(endpoint, retries=2), TASK, PROBLEMS[:1])
    assert "secret-key" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(endpoint.requests) == requests


def test_an_endpoint_that_is_not_there_or_does_not_answer():
    with Endpoint(lambda n, _: (200, said("1"))) as endpoint:
        pass
    with pytest.raises(DataError, match="try 2 of 2"):
        play(policy(endpoint, retries=1), TASK, PROBLEMS[:1])
    release = threading.Event()
    with Endpoint(lambda n, _: (release.wait(5), (200, said("1")))[1]) as endpoint:
        with pytest.raises(DataError, match=r"(?i)timed? ?out"):
            play(policy(endpoint, retries=0, timeout=0.2), TASK, PROBLEMS[:1])
        release.set()


def test_an_address_without_a_scheme_is_refused():
    with pytest.raises(ConfigError, match="http://"):
        OpenAIPolicy("m", base_url="localhost:8000/v1")


def test_a_picture_is_sent_as_a_part_of_its_message():
    task = build_task("points", options={"modality": "vision", "size": 96})
    problem = task.problem("train", 0)
    with Endpoint(lambda number, body: (200, said(task.expert(task.start(problem))))) as endpoint:
        (episode,) = play(policy(endpoint), task, [problem])
    assert episode.success
    ((_, _, body),) = endpoint.requests
    text, shown = body["messages"][0]["content"]
    assert (text["type"], shown["type"]) == ("text", "image_url")
    assert "the cards in the picture" in text["text"]
    head, data = shown["image_url"]["url"].split(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as sent:
        assert sent.tobytes() == problem.picture.draw().tobytes()
