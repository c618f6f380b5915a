"""The endpoint of the examples answers as the model does when it is asked here."""

from examples.integrations.endpoint import Endpoint

from shiftgym import load_policy, load_study
from shiftgym.evaluation.evaluate import evaluate

TASK = load_study("points-text", ["task.limit=2"]).build_task()


def found(policy):
    how = {"splits": ["rule_ood"], "problems": 3, "decodings": ["greedy"], "max_new_tokens": 24}
    return [
        (row["problem"], row["success"], row["attempts"], row["tokens"]) for row in evaluate(policy, TASK, **how).rows
    ]


def test_greedy_answers_are_those_of_the_model(tiny_points):
    name = str(tiny_points)
    with Endpoint([name]) as endpoint:
        assert found(f"{endpoint.url}#{name}") == found(load_policy(name))


def test_what_it_cannot_answer_it_says(tiny_points):
    name = str(tiny_points)
    with Endpoint([name]) as endpoint:
        status, reply = endpoint.reply({"model": "other", "messages": []})
        assert status == 404 and reply["error"]["code"] == "model_not_found"
        picture = [{"type": "image_url", "image_url": {"url": "data:,"}}]
        status, reply = endpoint.reply({"model": name, "messages": [{"role": "user", "content": picture}]})
        assert status == 400 and "text only" in reply["error"]["message"]
        status, reply = endpoint.reply({"model": name, "messages": [{"role": "user", "content": "24 " * 5000}]})
        assert status == 400 and reply["error"]["code"] == "context_length_exceeded"
