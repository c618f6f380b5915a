"""Messages to tokens and back, by the model's own chat template. Nothing that was generated is ever tokenised again.

**Thinking.** Some templates end a prompt inside an open block of thinking. The model answers such a prompt as it is,
and may think. The expert does not think, so its answer stands behind a closed block: `prompt(..., closed=True)`. The
closing tag is part of the prompt and is not trained. What a template writes by itself before an answer, such as the
name of a channel or an empty block of thinking, is what the model should generate, so it is trained with the answer.

**History.** A later attempt is asked for behind the tokens of the earlier ones as they were generated, thinking and end
token included. Many templates would leave old thinking out, and some end an old answer in another way. Following them
would change the tokens that answers were sampled behind.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin

from shiftgym.errors import ConfigError
from shiftgym.messages import Message, Messages, Picture, assistant, parts, user
from shiftgym.models.conversations.answer_text import AnswerText
from shiftgym.models.conversations.ends import find_ends
from shiftgym.models.conversations.pictures import Pictures
from shiftgym.models.conversations.template import Template
from shiftgym.models.conversations.turn import ANSWER, QUESTION, read_turn


class ChatFormat:
    """How one model's conversations are written in tokens.

    Args:
        reader: the model's tokenizer, or the processor of a vision-language model.
        pictures: those that the model is shown; None for a text model.
        chat_template: the text of a template that replaces the model's own, also where the model is saved.
        template_variables: values of the template's variables, such as `{"enable_thinking": False}`.

    Raises:
        ConfigError: there is no chat template, or one that does not end an answer with a special token, refuses a
            conversation of questions and answers, or does not know a variable.
    """

    chat_template: str
    """The text of the template that is used."""
    opening: str
    """The end of a prompt from the tag on that opens thinking; empty where a prompt does not end inside thinking."""
    end_id: int
    """The token that ends an answer; an expert's answer ends with it."""
    end_ids: set[int]
    """Every token that stops generation. Those that only end a message of thinking before the answer are not among
    them."""

    def __init__(
        self,
        reader: PreTrainedTokenizerBase | ProcessorMixin,
        generation_config: GenerationConfig | None = None,
        pictures: Pictures | None = None,
        *,
        chat_template: str | None = None,
        template_variables: Mapping[str, Any] | None = None,
    ) -> None:
        self.reader, self.pictures = reader, pictures
        tokenizer: PreTrainedTokenizerBase = reader.tokenizer if isinstance(reader, ProcessorMixin) else reader
        self.tokenizer = tokenizer
        self._template = Template(reader, chat_template, template_variables)
        self.chat_template = self._template.text
        if chat_template is not None:
            reader.chat_template = chat_template
        # Feedback texts are few and repeat thousands of times; prompts repeat within a group.
        self._cached_prompt = lru_cache(4096)(self._prompt)
        self._cached_reply = lru_cache(4096)(self._reply)
        self._turn = read_turn(self._template, self._plain(user(QUESTION)), self._plain(assistant(ANSWER)))
        self._text = AnswerText(tokenizer, self._turn)
        self.opening = self._text.opening
        stops = generation_config.eos_token_id if generation_config is not None else None
        self._ends = find_ends(tokenizer, self._turn, channel=bool(self._text.channel), stops=stops)
        self.end_id, self.end_ids = self._ends.answer[-1], self._ends.stops

    @classmethod
    def of(
        cls,
        model: PreTrainedModel,
        reader: PreTrainedTokenizerBase | ProcessorMixin,
        *,
        chat_template: str | None = None,
        template_variables: Mapping[str, Any] | None = None,
    ) -> "ChatFormat":
        """The format of a model and what it was saved with."""
        pictures = Pictures(reader, model) if isinstance(reader, ProcessorMixin) else None
        return cls(
            reader,
            model.generation_config,
            pictures,
            chat_template=chat_template,
            template_variables=template_variables,
        )

    def prompt(self, messages: Messages, *, closed: bool = False) -> list[int]:
        """The tokens of a conversation up to where the assistant is to answer.

        Args:
            closed: thinking that the template opens is closed, as an expert's answer needs it.
        """
        return list(self._cached_prompt(_key(messages), closed))

    def reply(self, messages: Messages, last: int | None = None) -> list[int]:
        """The tokens that follow an answer: its end, then `messages`, up to where the next answer begins.

        Args:
            last: the last token that was generated. What it has ended is not ended again.
        """
        end = self._ends.history
        written = len(end) if last in self.end_ids else 0
        if last is not None and last in end:
            written = end.index(last) + 1
        return list(self._cached_reply(_key(messages))[written:])

    def answer(self, text: str) -> list[int]:
        """The tokens of an answer as the model should have generated it: what the template writes before it (see the
        head of this file), the text, and its end.

        It follows a prompt that is closed. The text is tokenised behind the end of such a prompt, since in many
        vocabularies the first token of a text depends on what stands before it.
        """
        text = self._turn.header + text
        end = str(self.tokenizer.convert_ids_to_tokens(self.end_id))
        for before in (QUESTION + self._turn.tail + self._turn.closing, end):
            start, both = self._tokens(before), self._tokens(before + text)
            if both[: len(start)] == start:
                return [*both[len(start) :], *self._ends.answer]
        return [*self._tokens(text), *self._ends.answer]

    def text(self, ids: Sequence[int]) -> str:
        """The text of generated tokens, special ones left out; see `AnswerText`. It follows `opening`."""
        return self._text.read(list(ids))

    def flops(self, shown: Sequence[int]) -> int:
        """FLOPs of one forward pass of the vision encoder over these pictures."""
        return self.pictures.flops(shown) if self.pictures is not None else 0

    def backward_flops(self, shown: Sequence[int]) -> int:
        """FLOPs of one backward pass through what is trained of the vision encoder, over these pictures."""
        return self.pictures.backward_flops(shown) if self.pictures is not None else 0

    def _prompt(self, key: "_Key", closed: bool) -> list[int]:
        messages = _messages(key)
        text = self._render(messages) + (self._turn.closing if closed else "")
        return self._shown(text, messages)

    def _reply(self, key: "_Key") -> list[int]:
        messages = _messages(key)
        following = self._render([user("."), assistant(ANSWER), *messages]).partition(ANSWER)[2]
        return self._shown(following.lstrip() if self._ends.history else following, messages)

    def _render(self, messages: Messages) -> str:
        return self._template.render([self._plain(each) for each in messages], prompt=True) + self._turn.lead

    def _tokens(self, text: str) -> list[int]:
        """A template writes its own special tokens, so none are added."""
        # Not verbose: transformers would warn of a text longer than the model, which generation tells by itself.
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _plain(self, message: Message) -> dict[str, Any]:
        """A message as the template reads it: a vision-language model takes its content in parts."""
        if self.pictures is None:
            if message.get("pictures"):
                name = self.tokenizer.name_or_path
                raise ConfigError(f"{name!r} cannot see, and this task shows pictures; give a vision-language model")
            return {"role": message["role"], "content": message["content"]}
        return {"role": message["role"], "content": parts(message, lambda _: {"type": "image"})}

    def _shown(self, text: str, messages: Messages) -> list[int]:
        """The tokens of a text, with those of the pictures of the messages in place of their placeholders."""
        if self.pictures is None:
            return self._tokens(text)
        pictures, placeholder = self.pictures, self.pictures.placeholder
        shown = [picture for message in messages for picture in message.get("pictures", ())]
        first, *rest = text.split(placeholder)
        if len(rest) != len(shown):
            raise ConfigError(
                f"the chat template of {self._template.name!r} writes {placeholder!r} {len(rest)} times for "
                f"{len(shown)} pictures; give one that writes it for each"
            )
        # The text around a picture is tokenised with what it stands in, as the model's own processor does it.
        for picture, following in zip(shown, rest, strict=True):
            before, after = pictures.around(picture)
            first += before + placeholder + after + following
        of_each, token = iter(shown), self.tokenizer.convert_tokens_to_ids(placeholder)
        return [
            new for each in self._tokens(first) for new in (pictures.tokens(next(of_each)) if each == token else [each])
        ]


_Key = tuple[tuple[str, str, tuple[Picture, ...]], ...]


def _key(messages: Messages) -> _Key:
    return tuple((message["role"], message["content"], message.get("pictures", ())) for message in messages)


def _messages(key: _Key) -> Messages:
    return [Message(role=role, content=content, pictures=shown) for role, content, shown in key]  # type: ignore[typeddict-item]
