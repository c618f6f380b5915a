"""The endpoint policy against a small server on this machine."""

import base64
import io
import json

import pytest
from PIL import Image

from shiftgym.episodes import play
from shiftgym.errors import ConfigError, DataError
from shiftgym.evaluation.evaluate import evaluate
from shiftgym.policies.endpoint import EndpointSettings
from shiftgym.policies.openai import NO_ANSWER, OpenAIPolicy
from shiftgym.tasks.registry import build_task

TASK = build_task("points")
PROBLEMS = [TASK.problem("train", index) for index in range(4)]
EXPERT = {TASK.start(problem).prompt[0]["content"]: TASK.expert(TASK.start(problem)) for problem in PROBLEMS}


def said(content, finish="stop", **more):
    message = {"role": "assistant", "content": content, **more}
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": {"completion_tokens": 7}}


def right(body):
    return 200, said(EXPERT[body["messages"][0]["content"]])


def refused(message, status=400, **more):
    return status, {"error": {"message": message, "type": "invalid_request_error", **more}}


def policy(server, *, tries=3, parallel=4, **settings):
    asked = EndpointSettings(timeout=20, tries=tries, parallel=parallel)
    return OpenAIPolicy("some-model", base_url=server.url, settings=asked, pause=0, **settings)


def attempts(episodes):
    return [episode.decisions[0].attempts for episode in episodes]


def test_episodes_through_an_endpoint(serve, monkeypatch):
    def script(_, body):
        return (200, said("hm", "length")) if len(body["messages"]) == 1 else right(body)

    server = serve(script)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    episodes = play(policy(server, temperature=0.5, max_tokens=99), TASK, PROBLEMS)
    assert all(episode.success and len(episode.decisions[0].attempts) == 2 for episode in episodes)
    first, second = attempts(episodes)[0]
    assert (first.stop, second.stop, second.tokens) == ("length", "end", 7)
    path, headers, body = server.requests[-1]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret-key"
    assert {key: body[key] for key in ("model", "temperature", "max_tokens")} == {
        "model": "some-model",
        "temperature": 0.5,
        "max_tokens": 99,
    }
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("reply", "text", "stop", "tokens"),
    [
        (said("12"), "12", "end", 7),
        (
            said([{"type": "thinking", "thinking": [{"type": "text", "text": "no"}]}, {"type": "text", "text": "a"}]),
            "a",
            "end",
            7,
        ),
        (
            said([{"type": "text", "text": "a"}, "b", {"text": "c"}, {"type": "output_text", "text": "d"}]),
            "abcd",
            "end",
            7,
        ),
        (said([{"type": "refusal", "refusal": "no"}, {"type": "image_url", "image_url": {}}, 3, None]), "", "end", 7),
        (said([{"type": "text", "text": None}, {"type": "text"}, {"type": "reasoning", "text": "no"}]), "", "end", 7),
        (said({"type": "text", "text": "a"}), "a", "end", 7),
        (said([]), "", "end", 7),
        (said(None), "", "end", 7),
        (said(None, refusal="I cannot help with that."), "", "end", 7),
        (said(None, "length", reasoning_content="Let me see ..."), "", "length", 7),
        (said(None, None, reasoning_content="Let me see ..."), "", "length", 7),
        (said(None, None, reasoning="Let me see ..."), "", "length", 7),
        (said("a", None, reasoning_content="Let me see ..."), "a", "end", 7),
        (said(None, "content_filter"), "", "end", 7),
        (said(None, "tool_calls", tool_calls=[{"function": {"name": "f"}}]), "", "end", 7),
        (said("a", "max_tokens"), "a", "length", 7),
        (said("a", ["odd"]), "a", "end", 7),
        (said(24), "", "end", 7),
        (said("\0 \ud83d a\ud83d\ude00"), "\ufffd \ufffd a\U0001f600", "end", 7),
        ({"choices": []}, "", "end", 0),
        ({"choices": None}, "", "end", 0),
        ({"choices": [None]}, "", "end", 0),
        ({"choices": [{}]}, "", "end", 0),
        ({"choices": [{"message": None, "finish_reason": "length"}], "usage": None}, "", "length", 0),
        ({"choices": [{"message": {"role": "assistant"}, "finish_reason": "length"}], "usage": []}, "", "length", 0),
        (said("a") | {"usage": {"completion_tokens": "7"}}, "a", "end", 0),
        (said("a") | {"usage": {"completion_tokens": -1}}, "a", "end", 0),
        (said("a") | {"usage": {"completion_tokens": 10**30}}, "a", "end", 0),
    ],
)
def test_what_a_reply_holds_is_data(serve, reply, text, stop, tokens):
    episodes = play(policy(serve(lambda *_: (200, reply))), TASK, PROBLEMS[:1], limit=1)
    ((attempt,),) = attempts(episodes)
    assert (attempt.answer, attempt.stop, attempt.tokens) == (text, stop, tokens)
    json.dumps(episodes[0].record(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "reply",
    [
        refused("This model's maximum context length is 512 tokens. However, you requested 600."),
        (500, {"error": {"message": "Context size has been exceeded.", "type": "server_error"}}),
        (200, {"error": {"message": "too much", "code": "context_length_exceeded"}}),
    ],
)
def test_a_conversation_that_is_too_long_ends_its_decision_and_no_other(serve, reply):
    first = TASK.start(PROBLEMS[0]).prompt[0]["content"]

    def script(_, body):
        if len(body["messages"]) < 5:
            return 200, said("I do not know")
        return reply if body["messages"][0]["content"] == first else right(body)

    server = serve(script)
    ended, *others = play(policy(server), TASK, PROBLEMS)
    record = attempts([ended])[0]
    assert [(one.answer, one.stop, one.tokens) for one in record[2:]] == [("", "too_long", 0)]
    assert record[2].verdict == TASK.start(PROBLEMS[0]).judge("")
    assert all(episode.success for episode in others)
    assert len(server.requests) == 3 * len(PROBLEMS)


def test_max_completion_tokens_is_asked_for_once_in_a_whole_evaluation(serve):
    def script(_, body):
        if "max_tokens" in body:
            return refused("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return 200, said("hm")

    server = serve(script)
    asked = policy(server, max_tokens=50)
    evaluate(lambda decoding: asked.at(1.0 if decoding == "sampled" else 0.0), TASK, problems=3)
    refusals = [body for body in server.bodies if "max_tokens" in body]
    assert len(refusals) == 1
    assert len(server.bodies) == 1 + 2 * 3 * TASK.limit
    assert all(body["max_completion_tokens"] == 50 for body in server.bodies[1:])


def test_max_tokens_stays_where_nothing_is_said_against_it(serve):
    server = serve(lambda number, _: refused("odd") if number == 1 else (200, said("hm")))
    play(policy(server), TASK, PROBLEMS, limit=1)
    assert all("max_completion_tokens" not in body for body in server.bodies)


@pytest.mark.parametrize(
    ("temperature", "setting"),
    [(0.0, r"""--set 'evaluation.decodings=\["sampled"\]'"""), (0.5, "evaluation.temperature=1")],
)
def test_a_temperature_that_is_refused_is_one_line_that_names_the_setting(serve, temperature, setting):
    server = serve(lambda *_: refused("Unsupported value: 'temperature'. Only the default (1) value is supported."))
    with pytest.raises(ConfigError, match=rf"HTTP 400 Unsupported value.*{setting}"):
        play(policy(server, temperature=temperature), TASK, PROBLEMS)
    assert len(server.requests) == 1


def test_a_temperature_of_1_is_left_out_where_it_is_refused(serve):
    def script(_, body):
        return refused("`temperature` is deprecated for this model.") if "temperature" in body else right(body)

    server = serve(script)
    assert all(episode.success for episode in play(policy(server), TASK, PROBLEMS))
    assert ["temperature" in body for body in server.bodies] == [True] + 4 * [False]


def test_what_was_sampled_is_there_before_greedy_is_refused(serve):
    server = serve(lambda _, body: right(body) if body["temperature"] else refused("temperature must be above 0", 422))
    asked = policy(server)
    assert evaluate(lambda _: asked.at(1.0), TASK, problems=2, decodings=["sampled"]).rows
    with pytest.raises(ConfigError, match=r"evaluation\.decodings"):
        evaluate(lambda _: asked.at(0.0), TASK, problems=2, decodings=["greedy"])


def blank(body):
    return any(not message["content"].strip() for message in body["messages"])


def test_an_empty_answer_goes_back_as_a_placeholder_only_where_empty_text_is_refused(serve):
    server = serve(lambda *_: (200, said("")))
    play(policy(server), TASK, PROBLEMS[:1], limit=2)
    assert [message["content"] for message in server.bodies[-1]["messages"]][1] == ""

    def script(_, body):
        if blank(body):
            return refused("messages: text content blocks must be non-empty")
        return (200, said(" \n")) if len(body["messages"]) < 5 else right(body)

    server = serve(script)
    episodes = play(policy(server, parallel=1), TASK, PROBLEMS)
    assert [[attempt.answer for attempt in one] for one in attempts(episodes)] == [
        [" \n", " \n", EXPERT[TASK.start(problem).prompt[0]["content"]]] for problem in PROBLEMS
    ]
    assert sum(map(blank, server.bodies)) == 1
    assert [message["content"] for message in server.bodies[-1]["messages"]][1::2] == [NO_ANSWER, NO_ANSWER]


def test_that_empty_text_is_refused_may_be_learned_while_another_request_is_under_way(serve):
    def script(_, body):
        if blank(body):
            asked._learned.refuses_empty = True  # as another thread finds out
            return refused("messages: text content blocks must be non-empty")
        return (200, said("")) if len(body["messages"]) < 3 else right(body)

    asked = policy(serve(script), parallel=1)
    (episode,) = play(asked, TASK, PROBLEMS[:1], limit=2)
    assert episode.decisions[0].solved


ODD = [
    refused("The response was filtered by the content management policy.", code="content_filter"),
    refused("Your input was flagged", 403),
    refused("no such thing as max_completion_tokens"),
    (500, {"error": "Failed to parse the output"}),
    (504, b"<html>Gateway Timeout</html>"),
    (200, b"data: [DONE]"),
    (200, {"hello": "world"}),
]


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("odd", [0, 2, 3])
@pytest.mark.parametrize("reply", ODD)
def test_what_stays_odd_for_one_conversation_is_an_empty_answer(serve, capsys, reply, odd, parallel):
    prompt = TASK.start(PROBLEMS[odd]).prompt[0]["content"]
    server = serve(lambda _, body: reply if body["messages"][0]["content"] == prompt else right(body))
    episodes = play(policy(server, parallel=parallel), TASK, PROBLEMS)
    assert [episode.success for episode in episodes] == [index != odd for index in range(4)]
    assert {(one.answer, one.stop, one.tokens) for one in attempts(episodes)[odd]} == {("", "end", 0)}
    assert len(attempts(episodes)[odd]) == TASK.limit
    assert capsys.readouterr().err.count("counts as an empty answer") in (1, 2)


def test_an_endpoint_that_stops_to_answer_ends_the_evaluation_and_makes_up_no_answers(serve):
    server = serve(lambda number, body: right(body) if number < 2 else (502, {"error": {"message": "no upstream"}}))
    with pytest.raises(DataError, match="HTTP 502 no upstream"):
        play(policy(server), TASK, PROBLEMS)


@pytest.mark.parametrize(
    ("reply", "requests", "shown"),
    [
        (refused("This model cannot see."), 3, "HTTP 400 This model cannot see"),
        ((500, {"error": {"message": "out of memory"}}), 5, r"HTTP 500 out of memory \(try 3 of 3\)"),
        ((200, {"error": {"message": "upstream overloaded", "code": 502}}), 5, "upstream overloaded"),
        ((529, {"error": {"message": "Overloaded"}}), 3, r"HTTP 529 Overloaded \(try 3 of 3\)"),
        ((401, {"error": {"message": "Who are you?"}}), 1, "HTTP 401 Who are you?"),
        ((404, {"error": {"message": "no such model"}}), 1, "HTTP 404 no such model"),
        (refused("You have no more", 429, code="insufficient_quota"), 1, "HTTP 429 You have no more"),
        ((200, b"<html>"), 5, "no JSON .*<html>"),
        ((302, b"", {"Location": "http://127.0.0.1:1/"}), 1, "HTTP 302 redirects"),
    ],
)
def test_an_endpoint_that_answers_nothing_ends_the_evaluation_with_its_own_message(serve, reply, requests, shown):
    server = serve(lambda *_: reply)
    with pytest.raises(DataError, match=shown):
        play(policy(server), TASK, PROBLEMS)
    assert len(server.requests) == requests


def test_a_busy_endpoint_is_no_reason_for_an_empty_answer(serve):
    first = TASK.start(PROBLEMS[1]).prompt[0]["content"]
    server = serve(
        lambda _, body: refused("slow down", 429) if body["messages"][0]["content"] == first else right(body)
    )
    with pytest.raises(DataError, match="HTTP 429 slow down"):
        play(policy(server), TASK, PROBLEMS)


def test_an_output_that_was_used_up_before_anything_was_said_is_a_cut_answer(serve):
    server = serve(
        lambda *_: refused("Could not finish the message because max_tokens or model output limit was reached.")
    )
    ((attempt,),) = attempts(play(policy(server), TASK, PROBLEMS[:1], limit=1))
    assert (attempt.answer, attempt.stop) == ("", "length")


def test_an_address_without_a_scheme_is_refused():
    with pytest.raises(ConfigError, match="http://"):
        OpenAIPolicy("m", base_url="localhost:8000/v1")


def test_a_picture_is_sent_as_a_part_of_its_message(serve):
    task = build_task("points", options={"modality": "vision", "size": 96})
    problem = task.problem("train", 0)
    server = serve(lambda *_: (200, said(task.expert(task.start(problem)))))
    (episode,) = play(policy(server), task, [problem])
    assert episode.success
    (body,) = server.bodies
    text, shown = body["messages"][0]["content"]
    assert (text["type"], shown["type"]) == ("text", "image_url")
    assert "the cards in the picture" in text["text"]
    head, data = shown["image_url"]["url"].split(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as sent:
        assert sent.tobytes() == problem.picture.draw().tobytes()
