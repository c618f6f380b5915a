"""The example of a client plays against a server, by itself or with a model at an endpoint."""

import http.client

import pytest
from examples.integrations import session_client
from tests.integrations.http_server import running

from shiftgym.integrations.limits import Limits
from shiftgym.integrations.sessions import Sessions
from shiftgym.studies.config import load_study


@pytest.fixture
def server():
    studies = {name: load_study(name).build_task() for name in ("points-text", "navigation-text")}
    with running(Sessions(studies, Limits())) as port:
        yield f"http://127.0.0.1:{port}"


def test_who_has_memorised_the_rule_fails_under_another(server, capsys):
    session_client.main(["--server", server, "--problems", "8"])
    home, shifted = capsys.readouterr().out.splitlines()
    assert home.split() == ["id", "success", "1.00", "reward", "+5.00"]
    assert shifted.startswith("rule_ood") and "success 1.00" not in shifted


def test_a_model_at_an_endpoint_plays_over_a_broken_connection(server, capsys, monkeypatch):
    asked, opened = [], session_client.urllib.request.urlopen
    monkeypatch.setattr(session_client.time, "sleep", lambda _: None)

    def answered(url, values):
        if url.startswith(server):
            return ask(url, values)
        asked.append((url, values))
        return {"choices": [{"message": {"content": None}, "finish_reason": "length"}]}

    def broken(request, timeout):
        """Every other reply is lost."""
        broken.calls += 1
        reply = opened(request, timeout=timeout)
        if broken.calls % 2:
            reply.close()
            raise http.client.RemoteDisconnected("gone")
        return reply

    broken.calls, ask = 0, session_client.ask
    monkeypatch.setattr(session_client, "ask", answered)
    monkeypatch.setattr(session_client.urllib.request, "urlopen", broken)
    split = ["--splits", "rule_ood", "--problems", "2", "--study", "navigation-text"]
    session_client.main(["--server", server, "--endpoint", "http://model/v1", "--model", "mine", *split])
    assert capsys.readouterr().out.split() == ["rule_ood", "success", "0.00", "reward", "-3.00"]
    assert len(asked) == 4, "two attempts each, none of them twice"
    assert asked[-1][1]["messages"][1] == {"role": "assistant", "content": ""}
