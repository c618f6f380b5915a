"""What an endpoint's reply says when it is no answer: what is at fault, and whether asking again may help.

The protocol names few codes, and servers follow it loosely, so the words of the message count as well. The words are
those of OpenAI, Azure, Anthropic, Mistral, Gemini, Groq, OpenRouter, vLLM, SGLang, llama.cpp, TGI, Ollama and others.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from shiftgym.errors import DataError

Kind = Literal["too_long", "cut", "max_tokens", "temperature", "refused", "broken", "busy", "closed"]


class Fault(DataError):
    """A reply that is no answer, in the words of the endpoint.

    Its `kind` is one of
        too_long     the conversation does not fit the model
        cut          the model used up its tokens before it said anything
        max_tokens   the endpoint wants `max_completion_tokens`
        temperature  the endpoint does not take the temperature
        refused      the endpoint says that something else is wrong with this request
        broken       a failure that may pass, and that this very request may have caused
        busy         a failure that may pass, and that has nothing to do with this request
        closed       no request will be answered: the key, the model, the quota, the address
    """

    def __init__(self, kind: Kind, text: str, wait: float = 0.0) -> None:
        super().__init__(text)
        self.kind: Kind = kind
        self.wait = wait
        """Seconds that the endpoint asks to wait."""


RATE = re.compile(r"rate.?limit|per[ -](second|min|hour|day)|throttl|please wait|(try again|retry) in", re.I)
"""Words about requests or tokens that are too many in some time, which pass by waiting."""

OVERSIZED = re.compile(r"\b(request|payload)( \w+){0,2} (is )?too large", re.I)

TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|context_?window_?exceeded|tokens_limit_reached"
    r"|max\w* (allowed )?(context|prompt|input|model|sequence)[ _-](length|size|window)|available context"
    r"|context[ _-]?(length|size|window|limit)\b.*(exceed|overflow|too|only|full|enough|beyond|longer|greater)"
    r"|(exceed|overflow|longer than|greater than|beyond)\w*\b.*\b(context|model token limit|token limit|session_len)"
    r"|(prompt|inputs?|conversation|messages?|string)\b[^.]{0,60}\btoo (long|large)"
    r"|(prompt|inputs?`?|conversation)\b.{0,90}\b(exceed|longer than|must be <=|must have less)"
    r"|\btokens\b[^.]{0,60}\bexceed|token limit exceeded|too many (input|prompt) tokens|max_(model|seq)_len"
    r"|input length should be|sequence length.{0,30}(longer|exceed)"
    r"|(reduce|shorten)\b[^.]{0,40}\b(length|prompt|input|message)|shorter (prompt|input)",
    re.I | re.S,
)
"""Words about a conversation that does not fit the model, whatever the status: llama.cpp says so with 500."""

CUT = re.compile(r"output limit was reached", re.I)
USED_UP = re.compile(
    r"insufficient[ _](quota|balance|credit|fund)|billing|out of credits|credit balance|exceeded your current quota"
    r"|(used|spent) all (available|your) credits|payment required",
    re.I,
)
FLAGGED = re.compile(r"flagged|moderation|content.?(filter|policy|management)", re.I)

STATUS_OF_CODE = (
    (r"insufficient_quota|billing|balance", 402),
    (r"api_key|authentication|unauthorized", 401),
    (r"permission|forbidden", 403),
    (r"not_?found", 404),
    (r"rate_?limit|resource_exhausted|too_many", 429),
    (r"overloaded|unavailable", 503),
    (r"invalid|bad_?request|unsupported|validation|context", 400),
)
"""What the codes of errors without a status mean, the first that is found."""

LOOKED_AT = 4000
"""Characters of an error that are searched for words, which bounds the time."""

SAID = frozenset({"message", "error", "detail", "msg", "raw"})
CODED = frozenset({"code", "type", "param", "status", "error_type", "reason", "loc"})
READ = SAID | CODED | {"metadata", "errors"}
"""Keys of errors that hold words, that hold codes, and that are looked into. What an error repeats of the request
stands under other keys."""

BUSY = frozenset({409, 425, 429, 503, 529})
CLOSED = frozenset({401, 402, 403, 404, 405, 407, 410})


def read_reply(status: int, content_type: str, body: bytes, asked: float) -> dict[str, Any]:
    """The reply to a request for a chat completion, which has the key `choices`.

    Args:
        asked: seconds that the endpoint asks to wait before it is asked again.

    Raises:
        Fault: it is an error, or no such reply.
    """
    text = body.decode("utf-8-sig", errors="replace")
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        what = content_type or "without a type"
        said = f"a body that is no JSON ({what}): {text}" if text.strip() else "an empty body"
        raise _fault(status, said, "", asked) from None
    if isinstance(reply, list) and reply:
        reply = reply[0]
    if status < 300 and isinstance(reply, dict):
        if "choices" in reply and not (error := _error_beside(reply)):
            return reply
        if "choices" not in reply and not any(reply.get(name) for name in ("error", "message", "detail")):
            raise Fault("broken", f"the reply has no `choices`: {text}")
        reply = error if "choices" in reply else reply
    found = list(_texts(reply, "error"))
    says, codes = (" ".join(text for key, text in found if key in keys) for keys in (SAID, CODED))
    raise _fault(status, says or text, codes, asked)


def _error_beside(reply: Mapping[str, Any]) -> Any:
    """The error that a reply with choices holds, if any: its own, or that of its first choice."""
    if reply.get("error"):
        return reply["error"]
    first = reply["choices"][0] if isinstance(reply["choices"], list) and reply["choices"] else None
    if isinstance(first, dict) and (first.get("error") or first.get("finish_reason") == "error"):
        return first.get("error") or {"message": "the answer ended with an error"}
    return None


def _texts(value: Any, key: str, depth: int = 8) -> Iterator[tuple[str, str]]:
    """The texts and numbers of an error with the keys that they stand under."""
    if isinstance(value, Mapping) and depth:
        for name in (name for name in value if name in READ):
            yield from _texts(value[name], name, depth - 1)
    elif isinstance(value, list) and depth:
        for inner in value:
            yield from _texts(inner, key, depth - 1)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield key, str(value)


def _fault(status: int, says: str, codes: str, asked: float) -> Fault:
    """The fault of an error with that status, message and codes."""
    shown = f"HTTP {status} {says}" if status >= 300 else f"an error with HTTP {status}: {says}"
    if status < 300:
        status = _status_of(codes)
    return Fault(_kind(status, says[:LOOKED_AT], codes[:LOOKED_AT], asked), shown, asked)


def _kind(status: int, says: str, codes: str, asked: float) -> Kind:
    words = f"{says} {codes}"
    if status == 413 or OVERSIZED.search(says) or (TOO_LONG.search(words) and not RATE.search(words)):
        return "too_long"
    if CUT.search(says):
        return "cut"
    if "insufficient_quota" in codes or (USED_UP.search(words) and not asked and not RATE.search(words)):
        return "closed"
    if status in CLOSED and not (status == 403 and FLAGGED.search(words)):
        return "closed"
    if status in BUSY:
        return "busy"
    if status >= 500 or status == 408:
        return "broken"
    if "max_completion_tokens" in says:
        return "max_tokens"
    return "temperature" if "temperature" in words else "refused"


def _status_of(codes: str) -> int:
    """The HTTP status that an error inside a 200 stands for; one that may pass if its codes do not tell."""
    numbers = re.findall(r"\b[45]\d\d\b", codes)
    if numbers:
        return int(numbers[0])
    return next((status for pattern, status in STATUS_OF_CODE if re.search(pattern, codes, re.I)), 500)
