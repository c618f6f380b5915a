"""Requests to an endpoint, which are sent again where that may help."""

import email.utils
import http.client
import json
import os
import re
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit

from shiftgym.errors import ConfigError
from shiftgym.policies.endpoint import EndpointSettings, check_url
from shiftgym.policies.faults import Fault, read_reply

SHOWN = 300
"""Characters of an endpoint's own words that are shown."""

LONGEST_PAUSE = 60.0
"""Longest pause before a retry, in seconds, where the endpoint asks for none."""

LONGEST_WAIT = 600.0
"""An endpoint that asks to wait longer, in seconds, is not waited for."""


class Transport:
    """Sends `POST {base_url}/chat/completions`. Used by several threads at the same time.

    Args:
        key_variable: name of the environment variable that holds the key; it is read from nowhere else. Unset, no key
            is sent. The key appears in no message of ours.
        pause: seconds before the second try; it doubles each time.

    Raises:
        ConfigError: no request can be sent to that URL, or with that key.
    """

    def __init__(self, base_url: str, key_variable: str, settings: EndpointSettings, pause: float) -> None:
        check_url(base_url)
        parts = urlsplit(base_url)
        path = parts.path.rstrip("/")
        self._target = parts._replace(path=f"{path}/chat/completions", fragment="").geturl()
        self.url = parts._replace(path=path, query="", fragment="").geturl()
        """The URL as it is shown: without its query, which may hold a key."""
        self._key_variable = key_variable
        self._key = os.environ.get(key_variable, "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise ConfigError(f"{key_variable}: a key holds only printable ASCII characters; this one has others")
        self._settings, self._pause = settings, pause
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._lock = Lock()
        self._waited_until = 0.0

    def post(self, body: Mapping[str, Any], stop: Event, tries: int | None = None) -> dict[str, Any]:
        """The reply to `body`, which has the key `choices`.

        Args:
            stop: once it is set, nothing is sent again.
            tries: instead of those of the settings.

        Raises:
            Fault: there was no such reply, in one line; of a `busy` or `broken` endpoint at the last try.
        """
        tries = self._settings.tries if tries is None else tries
        data = json.dumps(body).encode()
        for attempt in range(1, tries + 1):
            if stop.is_set():
                break
            try:
                return self._exchange(data)
            except Fault as fault:
                text = f"{self.url}: {fault}"
                wait = max(min(self._pause * 2 ** (attempt - 1), LONGEST_PAUSE), fault.wait)
                if fault.kind not in ("busy", "broken"):
                    raise Fault(fault.kind, text) from None
                if wait > LONGEST_WAIT:
                    raise Fault(fault.kind, f"{text}; it asks to wait {wait:.0f} s; try again then") from None
                if attempt == tries:
                    raise Fault(fault.kind, f"{text} (try {attempt} of {tries})") from None
            self._announce(f"{text}; waits {wait:.3g} s, then try {attempt + 1} of {tries}", wait)
            stop.wait(wait)
        raise Fault("broken", f"{self.url}: not asked again, since the evaluation has ended")

    def say(self, text: str) -> None:
        """Print one line for the user."""
        print(text, file=sys.stderr, flush=True)

    def _announce(self, text: str, wait: float) -> None:
        """Say that a request waits, unless another one that said so is still waiting."""
        with self._lock:
            now = time.monotonic()
            if now >= self._waited_until:
                self._waited_until = now + wait
                self.say(text)

    def _exchange(self, data: bytes) -> dict[str, Any]:
        """The reply to one request; Fault if it is none."""
        try:
            with self._open(data) as response:
                status, headers, body = response.status, response.headers, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error.reason if isinstance(error, urllib.error.URLError) else error) from None
        if 300 <= status < 400:
            where = headers.get("Location", "nowhere")
            raise Fault("closed", self._shown(f"HTTP {status} redirects to {where}; give the URL that answers itself"))
        try:
            return read_reply(status, headers.get("Content-Type", ""), body, _seconds(headers.get("Retry-After")))
        except Fault as fault:
            raise Fault(fault.kind, self._shown(str(fault)) + self._hint(status), fault.wait) from None

    def _open(self, data: bytes) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._target, data, headers)
        try:
            return self._opener.open(request, timeout=self._settings.timeout)
        except urllib.error.HTTPError as reply:
            return reply

    def _lost(self, reason: object) -> Fault:
        """The fault of a request that got no reply."""
        match reason:
            case ConnectionRefusedError():
                return Fault("busy", "connection refused; is the server running?")
            case TimeoutError():
                return Fault("broken", f"no answer within {self._settings.timeout:g} s (the setting is timeout)")
            case ssl.SSLCertVerificationError():
                return Fault("closed", f"its certificate cannot be verified: {reason.verify_message}")
        return Fault("broken", f"{type(reason).__name__}: {reason}")

    def _hint(self, status: int) -> str:
        """What may be the cause."""
        if status in (401, 403):
            return f"; the key is read from {self._key_variable}, which is {'set' if self._key else 'not set'}"
        if status == 404:
            return "; is the model's name right, and does the URL end with its version, as in http://127.0.0.1:8000/v1?"
        return ""

    def _shown(self, text: str) -> str:
        """The beginning of `text` on one line, without the key, which some endpoints repeat in their error."""
        text = text.replace(self._key, "[key]") if self._key else text
        line = " ".join("".join(each if each.isprintable() else " " for each in text).split()).rstrip(".")
        return line if len(line) <= SHOWN else f"{line[:SHOWN]} ..."


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """urllib would carry the key along to whatever host it is sent on to."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _seconds(retry_after: str | None) -> float:
    """The wait that the header asks for, in seconds or until a date; 0 for what is neither."""
    if retry_after is None:
        return 0.0
    if re.fullmatch(r"\d+(\.\d+)?", retry_after.strip(), re.ASCII):
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
