"""Any endpoint that speaks the chat completions protocol of OpenAI: vLLM, llama.cpp, a hosted model.

One odd reply never ends an evaluation. What may pass is asked again; what then still is no answer counts as an empty
one, provided that the endpoint still answers what it answered before. If not, the evaluation ends with its message.
"""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from shiftgym.errors import ConfigError
from shiftgym.messages import Message, Messages, data_url, parts
from shiftgym.policies.base import Answer
from shiftgym.policies.endpoint import DEFAULT_SETTINGS, EndpointSettings
from shiftgym.policies.faults import Fault
from shiftgym.policies.parallel import in_parallel
from shiftgym.policies.text_chat import Dialogue, TextChat
from shiftgym.policies.transport import Transport
from shiftgym.seeds import Names
from shiftgym.tasks.base import Decision

OF_ONE_REQUEST = ("refused", "broken", "max_tokens", "temperature")
"""Kinds of faults that may lie in one request, while the endpoint answers all others."""

FIRST = 3
"""Conversations at the very beginning of which one must be answered; else the endpoint is not asked further."""

NO_ANSWER = "(no answer)"
"""What stands in the history for an empty answer where the endpoint refuses empty text. Elsewhere the history holds the
empty text itself, since that is what was answered."""

TEXT = ("text", "output_text")
"""Types of the parts of a message that are text."""

CUT = ("length", "max_tokens", "MAX_TOKENS", "model_length", "model_context_window_exceeded")
"""Values of `finish_reason` that tell of an answer that was cut off."""


@dataclass(slots=True)
class _Learned:
    """What requests have shown about an endpoint. All policies made from one share it."""

    begun: bool = False
    """One of the first requests got an answer."""
    limit: str = "max_tokens"
    """The parameter that limits an answer."""
    own_temperature: bool = False
    """The endpoint samples at a temperature of its own, 1, and takes no such parameter."""
    refuses_empty: bool = False
    """Empty text in the history is refused."""
    answered: Messages | None = None
    """The last conversation that got an answer."""
    said: set[str] = field(default_factory=set)
    """Faults that the user has been told of."""


class OpenAIPolicy:
    """Answers through `POST {base_url}/chat/completions`. Sampling happens over there and is not seeded by us.

    Args:
        base_url: up to and including the version, such as `http://127.0.0.1:8000/v1`.
        key_variable: name of the environment variable that holds the key; it is read from nowhere else. Unset, no key
            is sent. The key appears in no message of ours.
        max_tokens: longest answer, in tokens of the endpoint.
        pause: seconds before the second try; it doubles each time.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        key_variable: str = "OPENAI_API_KEY",
        temperature: float = 1.0,
        max_tokens: int = 256,
        settings: EndpointSettings = DEFAULT_SETTINGS,
        pause: float = 0.5,
    ) -> None:
        self._transport = Transport(base_url, key_variable, settings, pause)
        self._parallel = settings.parallel
        self._model, self._temperature, self._max_tokens = model, temperature, max_tokens
        self._learned = _Learned()

    def at(self, temperature: float) -> "OpenAIPolicy":
        """The same endpoint at another temperature. What was learned about it is shared."""
        other = copy.copy(self)
        other._temperature = temperature
        return other

    def start(self, decisions: Sequence[Decision], noise: Sequence[Names]) -> TextChat:
        return TextChat(decisions, self._answer_all)

    def _answer_all(self, open_now: Sequence[Dialogue]) -> list[Answer]:
        """Answers to some dialogues, side by side. The first ones of all are asked one after another, so that what the
        endpoint does not take is learned from one request."""
        stop = Event()
        answers: list[Answer] = []
        try:
            if not self._learned.begun:
                answers = self._begin(open_now[:FIRST], stop)
            rest = open_now[len(answers) :]
            return answers + in_parallel(lambda each: self._answer(each, stop), rest, self._parallel)
        finally:
            stop.set()

    def _begin(self, open_now: Sequence[Dialogue], stop: Event) -> list[Answer]:
        """Answers up to the first that is one; those before it count as empty. Fault if there is none.

        The first conversation has all its tries; the others only show whether the fault lay in that one.
        """
        faults: list[Fault] = []
        for dialogue in open_now:
            try:
                answer = self._answer(dialogue, stop, tries=1 if faults else None)
            except Fault as fault:
                if fault.kind not in OF_ONE_REQUEST:
                    raise
                faults.append(fault)
            else:
                self._learned.begun = True
                return [*map(self._counted_as_empty, faults), answer]
        raise faults[0]

    def _answer(self, dialogue: Dialogue, stop: Event, tries: int | None = None) -> Answer:
        try:
            reply = self._ask(dialogue.messages, stop, tries)
        except Fault as fault:
            if fault.kind == "too_long":
                return Answer("", tokens=0, stop="too_long")
            if fault.kind == "cut":
                return Answer("", tokens=0, stop="length")
            if fault.kind in OF_ONE_REQUEST and self._still_answers(stop):
                return self._counted_as_empty(fault)
            raise
        self._learned.answered = dialogue.messages[:]
        return _read(reply)

    def _ask(self, messages: Messages, stop: Event, tries: int | None) -> dict[str, Any]:
        """The reply to a conversation. If it is refused, an empty answer in its history may be why."""
        # What this request is sent with: another thread may learn more while it is under way.
        placeholder = self._learned.refuses_empty
        try:
            return self._ask_as_learned(messages, stop, tries, placeholder=placeholder)
        except Fault as fault:
            empty = any(not message["content"].strip() for message in messages)
            if fault.kind != "refused" or not empty or placeholder:
                raise
        reply = self._ask_as_learned(messages, stop, tries, placeholder=True)
        self._learned.refuses_empty = True
        return reply

    def _ask_as_learned(
        self, messages: Messages, stop: Event, tries: int | None, *, placeholder: bool
    ) -> dict[str, Any]:
        """The reply to a conversation, which is asked again without the parameters that the endpoint does not take.

        Raises:
            ConfigError: it does not take the temperature, and another one would not be the same evaluation.
        """
        while True:
            body = self._body(messages, placeholder)
            try:
                return self._transport.post(body, stop, tries)
            except Fault as fault:
                if fault.kind == "max_tokens" and "max_tokens" in body:
                    self._learned.limit = "max_completion_tokens"
                elif fault.kind == "temperature" and "temperature" in body:
                    self._leave_out_temperature(fault)
                else:
                    raise

    def _leave_out_temperature(self, fault: Fault) -> None:
        """From now on, if it is 1, which is what endpoints sample at by themselves."""
        if self._temperature == 0:
            raise ConfigError(f"""{fault}; leave out greedy answers: --set 'evaluation.decodings=["sampled"]'""")
        if self._temperature != 1:
            raise ConfigError(f"{fault}; sample at its own temperature: --set evaluation.temperature=1")
        self._learned.own_temperature = True

    def _body(self, messages: Messages, placeholder: bool) -> dict[str, Any]:
        body = {"model": self._model, self._learned.limit: self._max_tokens}
        if self._temperature != 1 or not self._learned.own_temperature:
            body["temperature"] = self._temperature
        return {**body, "messages": [_sent(message, placeholder) for message in messages]}

    def _still_answers(self, stop: Event) -> bool:
        """Whether the endpoint answers what it answered before, so that the fault lies in one request."""
        if self._learned.answered is None:
            return False
        try:
            self._ask(self._learned.answered, stop, tries=1)
        except Fault:
            return False
        return True

    def _counted_as_empty(self, fault: Fault) -> Answer:
        if str(fault) not in self._learned.said:
            self._learned.said.add(str(fault))
            self._transport.say(f"{fault}; counts as an empty answer")
        return Answer("", tokens=0, stop="end")


def _sent(message: Message, placeholder: bool) -> dict[str, Any]:
    """A message as endpoints read it: one with pictures is a list of parts."""
    if "pictures" in message:
        content = parts(message, lambda picture: {"type": "image_url", "image_url": {"url": data_url(picture)}})
        return {"role": message["role"], "content": content}
    if placeholder and not message["content"].strip():
        return {"role": message["role"], "content": NO_ANSWER}
    return dict(message)


def _read(reply: dict[str, Any]) -> Answer:
    """The first choice of a reply. What is missing or of another type is left out: an empty answer is data."""
    choices = reply["choices"]
    choice = _table(choices[0] if isinstance(choices, list) and choices else None)
    message = _table(choice.get("message"))
    text = _text(message.get("content"))
    finish = choice.get("finish_reason")
    # Servers that keep the thinking apart may say nothing where the tokens ended before the answer began.
    unanswered = finish is None and not text and bool(message.get("reasoning_content") or message.get("reasoning"))
    tokens = _table(reply.get("usage")).get("completion_tokens")
    if not isinstance(tokens, int) or not 0 <= tokens < 2**31:
        tokens = 0
    return Answer(text, tokens=int(tokens), stop="length" if finish in CUT or unanswered else "end")


def _text(content: Any) -> str:
    """The text of a message, whose content is a text or a list of parts. Thinking, pictures and the like are left out.

    Characters that no file of UTF-8 or no page may hold, which are halves of surrogate pairs and NUL, become U+FFFD.
    """
    pieces = [
        part["text"] if isinstance(part, dict) and part.get("type", "text") in TEXT and "text" in part else part
        for part in (content if isinstance(content, list) else [content])
    ]
    return re.sub("[\0\ud800-\udfff]", "\ufffd", "".join(piece for piece in pieces if isinstance(piece, str)))


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
