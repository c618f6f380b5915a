"""Any endpoint that speaks the chat completions protocol of OpenAI: vLLM, llama.cpp, a hosted model."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shiftgym.errors import ConfigError, DataError
from shiftgym.messages import Message, data_url, parts
from shiftgym.policies.base import Answer
from shiftgym.policies.text_chat import Dialogue, TextChat
from shiftgym.seeds import Names
from shiftgym.tasks.base import Decision

WORTH_A_RETRY = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that may pass by waiting."""

MAX_WAIT = 60.0
"""Longest pause before a retry, in seconds, whatever the endpoint asks for."""


class OpenAIPolicy:
    """Answers through `POST {base_url}/chat/completions`. Sampling happens over there and is not seeded by us.

    Args:
        base_url: up to and including the version, such as `http://127.0.0.1:8000/v1`.
        key_variable: name of the environment variable that holds the key; it is read from nowhere else. Unset, no key
            is sent. The key appears in no message of ours.
        timeout: seconds one request may take.
        retries: further tries after a failed request; the pause doubles each time, starting from `pause` seconds.
        parallel: requests in flight.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        key_variable: str = "OPENAI_API_KEY",
        temperature: float = 1.0,
        max_tokens: int = 256,
        timeout: float = 60.0,
        retries: int = 5,
        pause: float = 0.5,
        parallel: int = 8,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise ConfigError(f"base_url {base_url!r}: an endpoint starts with http:// or https://")
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._settings = {"model": model, "temperature": temperature, "max_tokens": max_tokens}
        self._key_variable = key_variable
        self._timeout, self._retries, self._pause, self._parallel = timeout, retries, pause, parallel
        self._opener = urllib.request.build_opener(_NoRedirect)

    def start(self, decisions: Sequence[Decision], noise: Sequence[Names]) -> TextChat:
        return TextChat(decisions, self._answer_all)

    def _answer_all(self, open_now: Sequence[Dialogue]) -> list[Answer]:
        with ThreadPoolExecutor(self._parallel) as pool:
            return list(pool.map(self._answer, open_now))

    def _answer(self, dialogue: Dialogue) -> Answer:
        reply = self._post({**self._settings, "messages": [_sent(message) for message in dialogue.messages]})
        try:
            choice = reply["choices"][0]
            text = choice["message"]["content"] or ""
        except (LookupError, TypeError):
            raise DataError(f"{self._url}: the answer has no choices[0].message.content") from None
        tokens = (reply.get("usage") or {}).get("completion_tokens") or 0
        return Answer(text, tokens=tokens, stop="length" if choice.get("finish_reason") == "length" else "end")

    def _post(self, body: Mapping[str, Any]) -> Any:
        """The endpoint's answer to `body` as parsed JSON; DataError once the tries are used up."""
        for attempt in range(self._retries + 1):
            wait = self._pause * 2**attempt
            try:
                with self._opener.open(self._request(body), timeout=self._timeout) as response:
                    return json.load(response)
            except urllib.error.HTTPError as error:
                problem = f"HTTP {error.code} {self._censor(error.read(300).decode(errors='replace'))}".strip()
                if error.code not in WORTH_A_RETRY:
                    break
                wait = max(wait, _seconds(error.headers.get("Retry-After")))
            except (OSError, http.client.HTTPException) as error:
                problem = f"{type(error).__name__}: {error}"
            except ValueError:
                problem = "the answer is not JSON"
                break
            if attempt < self._retries:
                time.sleep(min(wait, MAX_WAIT))
        raise DataError(f"{self._url}: {problem} (try {attempt + 1} of {self._retries + 1})")

    def _request(self, body: Mapping[str, Any]) -> urllib.request.Request:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self._key_variable):
            headers["Authorization"] = f"Bearer {key}"
        return urllib.request.Request(self._url, json.dumps(body).encode(), headers)

    def _censor(self, text: str) -> str:
        """`text` on one line, without the key, which some endpoints repeat in their error."""
        key = os.environ.get(self._key_variable)
        return " ".join((text.replace(key, "[key]") if key else text).split())


def _sent(message: Message) -> dict[str, Any]:
    """A message as endpoints read it: one with pictures is a list of parts."""
    if "pictures" not in message:
        return dict(message)
    content = parts(message, lambda picture: {"type": "image_url", "image_url": {"url": data_url(picture)}})
    return {"role": message["role"], "content": content}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """urllib would carry the key along to whatever host it is sent on to."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _seconds(retry_after: str | None) -> float:
    """The seconds in the header, which may also hold a date; then our own pause is used."""
    return float(retry_after) if retry_after and retry_after.isdigit() else 0.0
