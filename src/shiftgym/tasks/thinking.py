"""Thinking in a model's text, which is no part of its answer.

Models write their thinking between two tags. The tags that are known here are a name of thinking, in any case, in one
of these forms:

    <think> ... </think>                                also <|think|>, [THINK], ◁think▷, <seed:think>
                                                        and with attributes, as in <thinking type="deep">
    <|begin_of_thought|> ... <|end_of_thought|>         also <|START_THINKING|>, <|thought_end|> and the like
    <|channel|>analysis ... <|channel|>final            also <|channel>thought ... <channel|>

In plain square brackets only `think` and `thinking` open thinking, since a model may well write `[Analysis]` as a
heading.
"""

import re

NAME = (
    r"(?!no[_-]|begin|start|end)(?:\w{1,20}[:_])?"
    r"(?:(?:ant)?think(?:ing)?|(?:inner[_ -]?)?thoughts?|reason(?:ing)?|analysis|reflection|rationale|scratch[_ -]?pad|"
    r"chain[_ -]of[_ -]thoughts?|cot|(?:inner|internal)[_ -]?monologue)(?:[_ -](?:process|content))?"
)
"""The pattern of a name of thinking, in lower case, such as `think` or `seed:think`."""
_ATTRIBUTES = r"""(?:\s{1,9}[\w:-]{1,40}=(?:"[^"<>]{0,99}"|'[^'<>]{0,99}'|[\w.-]{1,99})){0,9}"""
_TAG = re.compile(
    # The first character stands outside the part that ignores case, since only then is it searched for fast.
    r"[<\[◁](?i:"
    r"(?:(?<!\[)|(?=\s?(?:/|end|think)))[|｜]?\s?(?=/?\s?[a-z])"
    rf"(?:(/\s?)?{NAME}(?:[_ -](?:begin|start|(end)))?{_ATTRIBUTES}|(?:begin|start|(end))[_ -](?:of[_ -])?{NAME})"
    r"\s?(?:[|｜]?>|▷|\])"
    rf"|(\|channel\|>\s?final\b|channel\|>)|\|?channel\|?>\s?{NAME}\b)"
)
"""A tag of thinking. In one that ends thinking a group takes part."""


def without_thinking(text: str) -> str:
    """What stands after the last tag that ends thinking, up to a tag that opens thinking again. Takes linear time."""
    start, end = 0, None
    for tag in _TAG.finditer(text):
        if tag.lastindex:
            start, end = tag.end(), None
        elif end is None:
            end = tag.start()
    return text[start:end]
