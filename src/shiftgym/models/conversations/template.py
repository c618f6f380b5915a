"""A chat template as its model has it: one text out of several, its variables, and the date that it may ask for."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import meta
from jinja2.exceptions import TemplateError, TemplateSyntaxError, UndefinedError
from transformers import PreTrainedTokenizerBase, ProcessorMixin

# What `apply_chat_template` compiles with. That method turns every function among a template's variables into text, so
# it cannot pin the clock.
from transformers.utils.chat_template_utils import _compile_jinja_template

from shiftgym.errors import ConfigError

_DATE = datetime(2024, 7, 26)
"""Some templates print today's date. It is pinned, or the same study would differ from day to day."""

_OURS = ("messages", "add_generation_prompt", "tools", "documents", "strftime_now")
"""Variables that are set here."""


class Template:
    """The chat template of a model.

    Args:
        reader: the model's tokenizer, or the processor of a vision-language model, whose own template then counts.
        given: the text of a template that takes the place of the model's own.
        variables: values of the template's variables, such as `enable_thinking`.

    Raises:
        ConfigError: there is no template, none of several is called `default`, it is no Jinja template, or it does not
            know one of the variables.
    """

    name: str
    """The model, for messages."""
    text: str
    """The template that is used."""

    def __init__(
        self,
        reader: PreTrainedTokenizerBase | ProcessorMixin,
        given: str | None = None,
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        tokenizer = reader.tokenizer if isinstance(reader, ProcessorMixin) else reader
        self.name = tokenizer.name_or_path
        self.text = given or _default(reader.chat_template or tokenizer.chat_template, self.name)
        try:
            self._compiled = _compile_jinja_template(self.text)
        except TemplateSyntaxError as error:
            where = f"line {error.lineno}: {error.message}"
            raise ConfigError(f"the chat template of {self.name!r} is no Jinja template: {where}") from error
        self._variables = dict(variables or {})
        self._check_variables()
        self._always = {
            **tokenizer.special_tokens_map,
            "date_string": _DATE.strftime("%d %b %Y"),
            "strftime_now": _DATE.strftime,
            **self._variables,
        }

    def render(self, messages: Sequence[Mapping[str, Any]], *, prompt: bool) -> str:
        """The text of a conversation.

        Args:
            prompt: the template is asked to end with the beginning of an answer (`add_generation_prompt`).

        Raises:
            ConfigError: the template refuses the messages or misses a variable.
        """
        try:
            text: str = self._compiled.render(
                messages=messages, tools=None, documents=None, add_generation_prompt=prompt, **self._always
            )
        except Exception as error:  # a template is a program of others and may fail in any way
            roles = ", ".join(message["role"] for message in messages)
            said = " ".join(str(error).split())
            if not isinstance(error, TemplateError):
                said = f"{type(error).__name__}: {said}"
            missing = isinstance(error, UndefinedError) and said.endswith("is undefined")
            way = "set it in template_variables" if missing else "give a template that takes them"
            raise ConfigError(
                f"the chat template of {self.name!r} refuses messages of the roles {roles}: {said}; {way}"
            ) from error
        return text

    def _check_variables(self) -> None:
        for name in self._variables:
            if name in _OURS or not re.search(rf"\b{re.escape(name)}\b", self.text):
                free = meta.find_undeclared_variables(self._compiled.environment.parse(self.text))
                known = ", ".join(sorted(free - set(_OURS))) or "none"
                raise ConfigError(
                    f"template_variables: the chat template of {self.name!r} takes no {name!r}; its variables: {known}"
                )


def _default(found: Any, name: str) -> str:
    """The template to use of those that a model has: a text, or several by name."""
    if isinstance(found, list):
        found = {each["name"]: each["template"] for each in found}
    if isinstance(found, dict):
        if "default" not in found:
            known = ", ".join(map(repr, found))
            raise ConfigError(f"the chat templates of {name!r} are called {known}; one must be called 'default'")
        found = found["default"]
    if not found:
        raise ConfigError(f"the tokenizer of {name!r} has no chat template; give one by --chat-template FILE")
    return str(found)
