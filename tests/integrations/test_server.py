"""`shiftgym serve` over real HTTP: the same verdicts as everywhere, many clients at once, and nothing that ends it."""

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integrations.http_server import running
from tests.integrations.parity import STUDIES, Judged, cases, problems

from shiftgym.integrations.limits import Limits
from shiftgym.integrations.sessions import Sessions

LIMITS = Limits(max_text=40_000, max_body=1_000_000, max_batch=250)


@pytest.fixture(scope="module")
def port():
    with running(Sessions({study: problems(study).task for study in STUDIES}, LIMITS)) as port:
        yield port


def send(port, method, path, body=None, headers=()):
    """Status and values of a reply."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, dict(headers))
    reply = connection.getresponse()
    values = json.loads(reply.read())
    connection.close()
    return reply.status, values


def post(port, path, values):
    return send(port, "POST", path, json.dumps(values))


def opened(port, **asked):
    status, session = post(port, "/sessions", {"study": "points-text", "split": "id", "index": 0, **asked})
    assert status == 201
    return session


@pytest.mark.parametrize("study", STUDIES)
def test_the_table_of_texts_is_judged_as_everywhere(port, study):
    table = cases(study)
    asked = [
        {"study": study, "split": case.split, "index": case.index, "pictures": False, "send": "told"} for case in table
    ]
    told = [[] for _ in table]
    names = [session["session"] for session in post(port, "/sessions", asked)[1]]
    for number in range(max(len(case.answers) for case in table)):
        left = [at for at, case in enumerate(table) if number < len(case.answers)]
        steps = [{"session": names[at], "text": table[at].answers[number], "answered": number} for at in left]
        for at, reply in zip(left, post(port, "/steps", steps)[1], strict=True):
            info = reply["info"]
            told[at].append(Judged(info["outcome"], reply["reward"], info["feedback"]))
            assert reply["done"] == (number + 1 == len(table[at].answers))
            assert reply["done"] == (reply["told"] == [])
            if reply["done"]:
                assert info["success"] == table[at].success
    assert [tuple(each) for each in told] == [case.judged for case in table]


@pytest.mark.parametrize("study", ["navigation-text", "points-vision"])
def test_the_conversation_is_that_of_a_session(port, study):
    source = problems(study)
    session = source.session("id", 1, pictures="url")
    whole, end = (opened(port, study=study, index=1, send=send) for send in ("messages", "told"))
    assert whole["messages"] == end["told"] == session.messages
    while not session.done:
        record = session.episode.decisions[-1]
        text = source.task.expert(record.decision) if record.attempts or session.number else "no"
        session.step(text)
        both = [{"session": each["session"], "text": text} for each in (whole, end)]
        status, (by_whole, by_end) = post(port, "/steps", both)
        assert status == 200
        assert (by_whole["messages"], by_end["told"]) == (session.messages, session.told)
        assert by_whole["info"] == by_end["info"] == session.info
        assert send(port, "GET", f"/sessions/{end['session']}")[1]["messages"] == session.messages


def test_a_decision_alone_without_feedback_and_pictures(port):
    asked = {"study": "navigation-vision", "split": "rule_ood", "index": 2}
    session = opened(port, **asked, decision=1, limit=3, feedback=False, pictures=False)
    (prompt,) = session["messages"][-1:]
    assert isinstance(prompt["content"], str)
    for attempt in (1, 2, 3):
        _, reply = post(port, "/steps", {"session": session["session"], "text": "no"})
        assert (reply["info"]["decision"], reply["info"]["attempts"]) == (1, attempt)
        assert reply["done"] == (attempt == 3)
        assert reply["done"] or reply["messages"][-1]["content"] == "Try again."


def test_two_hundred_sessions_at_once_are_never_mixed_up(port):
    texts = [[f"number {number}, attempt {attempt}" for attempt in range(2)] for number in range(200)]

    def client(numbers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

        def ask(method, path, values):
            connection.request(method, path, json.dumps(values))
            return json.loads(connection.getresponse().read())

        asked = [{"study": "points-text", "split": "id", "index": number} for number in numbers]
        last = dict(zip(numbers, ask("POST", "/sessions", asked), strict=True))
        for attempt in range(2):
            for number, before in last.items():
                step = {"session": before["session"], "text": texts[number][attempt], "answered": attempt}
                last[number] = reply = ask("POST", "/steps", step)
                assert (reply["session"], reply["info"]["index"]) == (before["session"], number)
        connection.close()
        return last

    with ThreadPoolExecutor(20) as pool:
        ends = {}
        for each in pool.map(client, [range(first, 200, 20) for first in range(20)]):
            ends |= each
    assert len({end["session"] for end in ends.values()}) == 200
    for number, end in ends.items():
        first, *rest = end["messages"]
        assert [message["content"] for message in rest if message["role"] == "assistant"] == texts[number]
        assert first == problems("points-text").session("id", number).messages[0]


def test_a_client_that_vanishes_takes_nothing_from_the_others(port):
    mine, theirs = opened(port)["session"], opened(port)["session"]
    body = json.dumps({"session": theirs, "text": "no", "answered": 0}).encode()
    head = f"POST /steps HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for sent in (head, head + body[:10], head + body, b"POST /ste"):
        with socket.create_connection(("127.0.0.1", port)) as gone:
            gone.sendall(sent)
    assert post(port, "/steps", {"session": mine, "text": "no"})[1]["answered"] == 1
    again = post(port, "/steps", json.loads(body))
    assert again[1]["answered"] == 1, "judged once, whether it arrived or not"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ("", 400, None),
        ("{", 400, None),
        ('{"session": "x", "text": "a", "answered": NaN}', 400, None),
        ("[" * 100_000, 400, None),
        ("9" * 5000, 400, None),
        (b"\xff\xfe", 400, None),
        ("null", 422, None),
        ('"text"', 422, None),
        ("{}", 422, "session"),
        ('{"session": "x", "txt": "a"}', 422, "txt"),
        ('{"session": "x", "text": null}', 422, "text"),
        ('{"session": "x", "text": ["a"]}', 422, "text"),
        ('{"session": 1, "text": "a"}', 422, "session"),
        ('{"session": "x", "text": "a", "stop": "why"}', 422, "stop"),
        ('{"session": "x", "text": "a", "answered": 1.5}', 422, "answered"),
        ('{"session": "x", "text": "a", "answered": ' + "9" * 4000 + "}", 422, "answered"),
        ('{"session": "x", "text": "a", "answered": -1}', 422, "answered"),
        ('{"session": "x", "text": "a", "\\ud800": 1}', 422, None),
        ('{"session": "\\ud800", "text": "a"}', 404, "session"),
        ('{"session": "../../etc/passwd", "text": "a"}', 404, "session"),
    ],
)
def test_what_is_no_step_is_refused_in_one_line(port, body, status, field):
    got, values = send(port, "POST", "/steps", body)
    assert (got, values["status"], values.get("field")) == (status, status, field)
    assert values["error"] and "\n" not in values["error"] and len(values["error"]) < 400


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"index": -1}, "index"),
        ({"index": 1e300}, "index"),
        ({"index": 10**400}, "index"),
        ({"index": True}, "index"),
        ({"limit": 0}, "limit"),
        ({"limit": 10**9}, "limit"),
        ({"pictures": "pil"}, "pictures"),
        ({"send": "all"}, "send"),
        ({"study": "/etc/passwd"}, "study"),
        ({"study": "points-text-quick"}, "study"),
        ({"split": "os:system"}, "split"),
        ({"overrides": ["task.name=os:system"]}, "overrides"),
        ({"settings": "{}"}, "settings"),
        ({"task": "my_package.module:Class"}, "task"),
    ],
)
def test_a_client_names_only_what_is_served(port, wrong, field):
    status, values = post(port, "/sessions", {"study": "points-text", "split": "id", "index": 0, **wrong})
    assert (status, values.get("field")) == (422, field)


@pytest.mark.parametrize("text", ["", "\ud800", "\u0000", "NaN", "🂡" * 1000, "x" * 40_000])
def test_any_text_is_judged(port, text):
    session = opened(port)["session"]
    status, reply = post(port, "/steps", {"session": session, "text": text})
    assert (status, reply["info"]["outcome"]) == (200, "illegal")
    assert reply["messages"][1] == {"role": "assistant", "content": text}


def test_what_is_refused_of_a_list_leaves_the_rest(port):
    session = opened(port)["session"]
    steps = [
        {"session": "none", "text": "a"},
        3,
        {"session": session, "text": "a"},
        {"session": session, "text": "x" * 40_001},
    ]
    status, replies = post(port, "/steps", steps)
    assert status == 200
    assert [reply.get("status") for reply in replies] == [404, 422, None, 413]
    assert replies[2]["answered"] == 1


def test_sessions_are_closed(port):
    one, two, three = (opened(port)["session"] for _ in range(3))
    assert send(port, "DELETE", f"/sessions/{one}") == (200, {"session": one, "closed": True})
    assert send(port, "GET", f"/sessions/{one}")[0] == 404
    replies = post(port, "/close", [{"session": name} for name in (one, two, three)])[1]
    assert [reply.get("closed") for reply in replies] == [None, True, True]


def test_it_says_what_there_is(port):
    status, values = send(port, "GET", "/")
    assert status == 200
    assert list(values["studies"]) == list(STUDIES)
    assert values["studies"]["points-text"]["splits"] == list(problems("points-text").splits)
    assert values["limits"]["max_text"] == 40_000
    assert set(values["endpoints"]["POST /steps"]["takes"]["properties"]) == {"session", "text", "stop", "answered"}


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/steps", 405), ("POST", "/", 405), ("GET", "/docs", 404)]
)
def test_other_addresses_are_refused_in_json(port, method, path, status):
    got, values = send(port, method, path)
    assert got == values["status"] == status


def chunked(size):
    yield from (b" " * 50_000 for _ in range(size // 50_000))


@pytest.mark.parametrize("body", [b" " * 1_500_000, chunked(1_500_000)], ids=["length", "chunked"])
def test_a_body_is_at_most_so_large(port, body):
    status, values = send(port, "POST", "/steps", body)
    assert (status, values["error"]) == (413, "a request has at most 1000000 bytes")


def test_the_last_problem_of_every_study_can_be_opened(port):
    asked = [{"study": study, "split": "id", "index": 2**53 - 1, "pictures": False} for study in STUDIES]
    assert [reply.get("info", reply).get("index") for reply in post(port, "/sessions", asked)[1]] == [2**53 - 1] * 4


def test_a_list_is_at_most_so_long(port):
    assert post(port, "/steps", [{}] * 251)[0] == 413
    assert post(port, "/steps", [{}] * 250)[0] == 200


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/sessions"), ("GET", "/none")])
def test_pages_of_foreign_sites_are_refused(port, headers, method, path):
    assert send(port, method, path, headers=headers)[0] == 403


def test_a_bug_of_a_task_is_told_without_its_traceback(port, monkeypatch, caplog):
    session = opened(port)["session"]

    def broken(*_, **__):
        raise RuntimeError("secret place")

    with monkeypatch.context() as patched:
        patched.setattr("shiftgym.integrations.session.revise", broken)
        status, values = post(port, "/steps", {"session": session, "text": "no"})
    assert status == 500 and "secret" not in values["error"]
    assert post(port, "/steps", {"session": session, "text": "no"})[0] == 200
    assert "secret place" in caplog.text, "it stands in the log"


def test_a_full_server_says_so():
    with running(Sessions({"points-text": problems("points-text").task}, Limits(max_sessions=2))) as port:
        replies = post(port, "/sessions", [{"split": "id", "index": number} for number in range(3)])[1]
        assert [reply.get("status") for reply in replies] == [None, None, 429]
        assert post(port, "/sessions", {"split": "id", "index": 0})[0] == 429
