"""Messages to tokens and back, by the model's own chat template. Nothing that was generated is ever tokenised again."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from jinja2.exceptions import TemplateError
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

from shiftgym.errors import ConfigError
from shiftgym.messages import Message, Messages, Picture, assistant, parts, user
from shiftgym.models.pictures import Pictures

_ANSWER = "@answer@"
"""Placeholder for an answer, used to find what the template writes after one."""

_DATE = "26 Jul 2024"
"""Llama 3 templates print today's date. It is pinned, or the same study would differ from day to day."""


class ChatFormat:
    """How one model's conversations are written in tokens.

    Args:
        reader: the model's tokenizer, or the processor of a vision-language model.
        pictures: those that the model is shown; None for a text model.

    Raises:
        ConfigError: there is no chat template, or one that does not end an answer with a special token.
    """

    end_id: int
    """The token that ends an answer in the template; an expert's answer ends with it."""
    end_ids: set[int]
    """Every token that stops generation."""

    def __init__(
        self,
        reader: PreTrainedTokenizerBase | ProcessorMixin,
        generation_config: GenerationConfig | None = None,
        pictures: Pictures | None = None,
    ) -> None:
        self.reader, self.pictures = reader, pictures
        tokenizer: PreTrainedTokenizerBase = reader.tokenizer if isinstance(reader, ProcessorMixin) else reader
        self.tokenizer = tokenizer
        if reader.chat_template is None:
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

    @classmethod
    def of(cls, model: PreTrainedModel, reader: PreTrainedTokenizerBase | ProcessorMixin) -> "ChatFormat":
        """The format of a model and what it was saved with."""
        pictures = Pictures(reader, model) if isinstance(reader, ProcessorMixin) else None
        return cls(reader, model.generation_config, pictures)

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

    def flops(self, shown: Sequence[int]) -> int:
        """FLOPs of one forward pass of the vision encoder over these pictures."""
        return self.pictures.flops(shown) if self.pictures is not None else 0

    def _prompt(self, key: "_Key") -> list[int]:
        messages = _messages(key)
        return self._shown(self._tokens(self._render(messages)), messages)

    def _reply(self, key: "_Key") -> list[int]:
        messages = _messages(key)
        rendered = self._render([user("."), assistant(_ANSWER), *messages])
        following = self._shown(self._tokens(rendered.partition(_ANSWER)[2]), messages)
        # Some templates put a space between an answer and its end token. It was not generated, so it is left out.
        end = next((i for i, token in enumerate(following) if token in self._special), None)
        if end is None:
            name = self.tokenizer.name_or_path
            raise ConfigError(f"the chat template of {name!r} ends an answer with no special token; it must")
        return following[end:]

    def _render(self, messages: Messages) -> str:
        try:
            text = self.tokenizer.apply_chat_template(
                [{"role": message["role"], "content": self._content(message)} for message in messages],
                chat_template=cast(str | None, self.reader.chat_template),
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
        # Not verbose: transformers would warn of a text longer than the model, which generation tells by itself.
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _content(self, message: Message) -> Any:
        """The content of a message, which a vision-language model takes in parts."""
        if self.pictures is None:
            if message.get("pictures"):
                name = self.tokenizer.name_or_path
                raise ConfigError(f"{name!r} cannot see, and this task shows pictures; give a vision-language model")
            return message["content"]
        return parts(message, lambda _: {"type": "image"})

    def _shown(self, ids: list[int], messages: Messages) -> list[int]:
        """The placeholder of each picture replaced by its tokens."""
        if self.pictures is None:
            return ids
        pictures = iter([picture for message in messages for picture in message.get("pictures", ())])
        placeholder = self.tokenizer.convert_tokens_to_ids(self.pictures.placeholder)
        return [
            new for token in ids for new in (self.pictures.tokens(next(pictures)) if token == placeholder else [token])
        ]


_Key = tuple[tuple[str, str, tuple[Picture, ...]], ...]


def _key(messages: Messages) -> _Key:
    return tuple((message["role"], message["content"], message.get("pictures", ())) for message in messages)


def _messages(key: _Key) -> Messages:
    return [Message(role=role, content=content, pictures=shown) for role, content, shown in key]  # type: ignore[typeddict-item]
