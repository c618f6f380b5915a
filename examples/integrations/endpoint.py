"""An endpoint for small text models: the chat completions of OpenAI's protocol, by any model that `load_policy` takes.

    python examples/integrations/endpoint.py points-0 points-1 --port 8000

It serves the shipped backbones to tools that speak to endpoints only. Larger models belong behind vLLM or the like. It
listens on this machine alone. Requests that wait at the same time are answered side by side.
"""

import argparse
import json
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from queue import SimpleQueue
from threading import Event, Thread

from shiftgym import load_policy, model_policy

LONGEST = 96
"""Longest answer in tokens where the request does not say, as in shiftgym's own studies of GeneralPoints."""


@dataclass(frozen=True)
class Conversation:
    """What a policy answers: here a whole conversation, where in shiftgym it is the prompt of a decision."""

    prompt: list


@dataclass(frozen=True)
class Request:
    messages: list
    settings: tuple
    """Model, temperature and longest answer. Requests that share them are answered in one batch."""
    answer: Future


class Endpoint:
    """Serves models by the names that they are given by, from `with` on until its end.

    Args:
        models: shipped backbones, directories of models, or hub ids.
        port: 0 takes any that is free.
    """

    def __init__(self, models, port=0):
        self.models = {name: load_policy(name) for name in models}
        self.waiting = SimpleQueue()
        self.numbers = count()
        self.policy = lru_cache(self.policy)
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                status, reply = endpoint.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                data = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def __enter__(self):
        for work in (self.server.serve_forever, self.answer_all):
            Thread(target=work, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def reply(self, body):
        """HTTP status and reply to a request."""
        if body.get("model") not in self.models:
            return 404, error("model_not_found", f"no model {body.get('model')!r}; known are {', '.join(self.models)}")
        if not all(isinstance(message["content"], str) for message in body["messages"]):
            return 400, error("invalid_request", "these models read text only")
        settings = body["model"], body.get("temperature", 1.0), body.get("max_tokens", LONGEST)
        request = Request(body["messages"], settings, Future())
        self.waiting.put(request)
        answer = request.answer.result()
        if answer.stop == "too_long":
            return 400, error("context_length_exceeded", "the conversation is longer than the context of the model")
        message = {"role": "assistant", "content": answer.text}
        choice = {"index": 0, "message": message, "finish_reason": "length" if answer.stop == "length" else "stop"}
        usage = {"prompt_tokens": 0, "completion_tokens": answer.tokens, "total_tokens": answer.tokens}
        about = {"id": "chat", "object": "chat.completion", "created": 0, "model": body["model"]}
        return 200, {**about, "choices": [choice], "usage": usage}

    def answer_all(self):
        """Answer what waits, again and again, all requests with the same settings in one batch."""
        while True:
            waiting = [self.waiting.get()]
            while not self.waiting.empty():
                waiting.append(self.waiting.get())
            for settings in {request.settings for request in waiting}:
                requests = [request for request in waiting if request.settings == settings]
                try:
                    answers = self.answers(settings, [Conversation(request.messages) for request in requests])
                except Exception as failure:  # noqa: BLE001  It is raised again where the answers are waited for.
                    for request in requests:
                        request.answer.set_exception(failure)
                else:
                    for request, answer in zip(requests, answers, strict=True):
                        request.answer.set_result(answer)

    def answers(self, settings, conversations):
        # Each request has random numbers of its own, which its number names.
        noise = [["endpoint", next(self.numbers)] for _ in conversations]
        chat = self.policy(*settings).start(conversations, noise)
        return chat.reply(range(len(conversations)), [[] for _ in conversations])

    def policy(self, model, temperature, longest):
        return model_policy(*self.models[model], temperature=temperature, max_new_tokens=longest, seed=0)


def error(code, message):
    return {"error": {"code": code, "message": message}}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="shipped backbones, directories of models, or hub ids")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    with Endpoint(given.models, given.port) as running:
        print(f"Serving {', '.join(given.models)} at {running.url}; end with Ctrl-C.", flush=True)
        Event().wait()
