"""Playing over HTTP against `shiftgym serve`, with the standard library only: a template for a client in any language.

    shiftgym serve points-text &
    python examples/integrations/session_client.py
    python examples/integrations/session_client.py --endpoint http://127.0.0.1:9000/v1 --model my-model

Without an endpoint the answers are those of a player who finds every solution but has memorised that J, Q and K count
as 10. On the home split that is the rule. On the shifted split it is not, and what a face card counts as is said in the
prompt, which this player never reads again.
"""

import argparse
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from typing import Any

Messages = list[dict[str, Any]]
Answer = Callable[[Messages], tuple[str, str]]
"""From a conversation to a text and to why it ended: `end`, or `length` where it was cut off."""

TRIES = 5


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--study", default="points-text")
    parser.add_argument("--splits", nargs="+", default=["id", "rule_ood"])
    parser.add_argument("--problems", type=int, default=50, help="of each split")
    parser.add_argument(
        "--endpoint", help="what answers: an OpenAI-compatible endpoint, such as http://127.0.0.1:9000/v1"
    )
    parser.add_argument("--model", help="the model there")
    options = parser.parse_args(arguments)

    answer = memorised if options.endpoint is None else asking(options.endpoint, options.model)
    for split in options.splits:
        ends = play(options.server, options.study, split, options.problems, answer)
        success = sum(end["info"]["success"] for end in ends) / len(ends)
        reward = sum(end["info"]["total_reward"] for end in ends) / len(ends)
        print(f"{split:<12} success {success:.2f}   reward {reward:+.2f}")


def play(server: str, study: str, split: str, problems: int, answer: Answer) -> list[dict[str, Any]]:
    """Play the first problems of a split side by side; the last reply of each."""
    asked = [{"study": study, "split": split, "index": index} for index in range(problems)]
    standing = {one["session"]: one for one in ask(f"{server}/sessions", asked)}
    while waiting := [one for one in standing.values() if not one["done"]]:
        steps = []
        for one in waiting:
            text, stop = answer(one["messages"])
            steps.append({"session": one["session"], "text": text, "stop": stop, "answered": one["answered"]})
        for reply in ask(f"{server}/steps", steps):
            if "error" in reply:
                raise SystemExit(reply["error"])
            standing[reply["session"]] = reply
    ask(f"{server}/close", [{"session": name} for name in standing])
    return list(standing.values())


def ask(url: str, values: Any) -> Any:
    """Send values, and read what comes back.

    If the connection breaks, they are sent again. A step that says how many were `answered` before it is then not
    judged twice. A session that was opened twice costs nothing: nobody uses it, so it ends by itself.
    """
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("SHIFTGYM_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(values).encode(), headers)
    for pause in range(TRIES):
        try:
            with urllib.request.urlopen(request, timeout=600) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as refused:
            raise SystemExit(f"{url}: {refused.read().decode()}") from None
        except (OSError, http.client.HTTPException) as broken:
            problem = broken
            time.sleep(0.2 * 2**pause)
    raise SystemExit(f"{url}: {problem}")


def memorised(messages: Messages) -> tuple[str, str]:
    """Solve a hand of points as if J, Q and K always counted as 10."""
    cards = json.loads(re.search(r"\[.*?\]", messages[0]["content"])[0])
    numbers = [{"A": 1, "J": 10, "Q": 10, "K": 10}.get(card) or int(card) for card in cards]
    formula = solved([(Fraction(number), str(number)) for number in numbers]) or "none"
    return json.dumps({"cards": cards, "number": numbers, "formula": formula}), "end"


def solved(terms: list[tuple[Fraction, str]], target: int = 24) -> str | None:
    """A formula that makes the target from all terms, each of which is a value and how it is written."""
    if len(terms) == 1:
        return terms[0][1] if terms[0][0] == target else None
    for one, other in combinations(range(len(terms)), 2):
        rest = [term for number, term in enumerate(terms) if number not in (one, other)]
        for (a, left), (b, right) in ((terms[one], terms[other]), (terms[other], terms[one])):
            made = [(a + b, "+"), (a - b, "-"), (a * b, "*"), *([(a / b, "/")] if b else [])]
            for value, sign in made:
                if formula := solved([*rest, (value, f"({left}{sign}{right})")], target):
                    return formula
    return None


def asking(endpoint: str, model: str) -> Answer:
    """What a model at an OpenAI-compatible endpoint answers."""

    def answer(messages: Messages) -> tuple[str, str]:
        (choice,) = ask(f"{endpoint}/chat/completions", {"model": model, "messages": messages})["choices"]
        return choice["message"]["content"] or "", "length" if choice["finish_reason"] == "length" else "end"

    return answer


if __name__ == "__main__":
    main()
