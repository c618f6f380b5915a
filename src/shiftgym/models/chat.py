"""Messages to tokens and back, by the model's own chat template. Nothing that was generated is ever tokenised again."""

from collections.abc import Sequence
from functools import lru_cache

from jinja2.exceptions import TemplateError
from transformers import GenerationConfig, PreTrainedTokenizerBase

from shiftgym.errors import ConfigError
from shiftgym.messages import Message, Messages, assistant, user

_ANSWER = "@answer@"
"""Stands for an answer when the template is asked what follows one."""

_DATE = "26 Jul 2024"
"""Templates of the Llama 3 kind print today's date; pinned, or the same study would differ from day to day."""


class ChatFormat:
    """How one model's conversations are written in tokens.

    Raises:
        ConfigError: there is no chat template, or one that does not end an answer with a special token.
    """

    end_id: int
    """The token that ends an answer in the template; an expert's answer ends with it."""
    end_ids: set[int]
    """Every token that stops generation."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, generation_config: GenerationConfig | None = None) -> None:
        self.tokenizer = tokenizer
        if tokenizer.chat_template is None:
            raise ConfigError(f"the tokenizer of {tokenizer.name_or_path!r} has no chat template; give it one")
        self._special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
        # Feedback texts are few and repeat thousands of times; prompts repeat within a group.
        self._cached_prompt = lru_cache(4096)(self._prompt)
        self._cached_reply = lru_cache(4096)(self._reply)
        self.end_id = self.reply([user(".")])[0]
        stops = generation_config.eos_token_id if generation_config is not None else None
        self.end_ids = {self.end_id, *([stops] if isinstance(stops, int) else stops or [])}
        if tokenizer.eos_token_id is not None:
            self.end_ids.add(tokenizer.eos_token_id)

    def prompt(self, messages: Messages) -> list[int]:
        """The tokens of a conversation up to where the assistant is to answer."""
        return list(self._cached_prompt(_key(messages)))

    def reply(self, messages: Messages) -> list[int]:
        """The tokens that follow an answer: its end token, then `messages`, up to where the next answer begins."""
        return list(self._cached_reply(_key(messages)))

    def answer(self, text: str) -> list[int]:
        """The tokens of an answer as the model should have generated it, its end token included."""
        return [*self._tokens(text), self.end_id]

    def text(self, ids: Sequence[int]) -> str:
        """The text of generated tokens, special ones left out."""
        text = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        return text

    def _prompt(self, key: tuple[tuple[str, str], ...]) -> list[int]:
        return self._tokens(self._render(_messages(key)))

    def _reply(self, key: tuple[tuple[str, str], ...]) -> list[int]:
        rendered = self._render([user("."), assistant(_ANSWER), *_messages(key)])
        following = self._tokens(rendered.partition(_ANSWER)[2])
        # A blank that some templates put between an answer and its end token was not generated: left out.
        end = next((i for i, token in enumerate(following) if token in self._special), None)
        if end is None:
            name = self.tokenizer.name_or_path
            raise ConfigError(f"the chat template of {name!r} ends an answer with no special token; it must")
        return following[end:]

    def _render(self, messages: Messages) -> str:
        try:
            text = self.tokenizer.apply_chat_template(
                [{"role": message["role"], "content": message["content"]} for message in messages],
                tokenize=False,
                add_generation_prompt=True,
                date_string=_DATE,
            )
        except TemplateError as error:
            roles = ", ".join(message["role"] for message in messages)
            raise ConfigError(
                f"the chat template of {self.tokenizer.name_or_path!r} refuses messages of the roles {roles}: {error}"
            ) from error
        assert isinstance(text, str)
        return text

    def _tokens(self, text: str) -> list[int]:
        """A template writes its own special tokens, so none are added."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def _key(messages: Messages) -> tuple[tuple[str, str], ...]:
    return tuple((message["role"], message["content"]) for message in messages)


def _messages(key: tuple[tuple[str, str], ...]) -> Messages:
    return [Message(role=role, content=content) for role, content in key]  # type: ignore[typeddict-item]
