"""The text of generated tokens, with thinking told from the answer."""

from transformers import PreTrainedTokenizerBase

from shiftgym.models.conversations.turn import Turn, common_end, thinking_tag


class AnswerText:
    """Reads the text of an answer out of its tokens.

    Special tokens are left out. Those that open or close thinking become the plain tags `<think>` and `</think>`, which
    verifiers know. A model may also write messages of thinking before the message that holds the answer, such as in a
    channel of their own; what stands before the last beginning of an answer's message is put between the same tags.
    """

    opening: str
    """The end of a prompt from the tag on that opens thinking; empty where a prompt does not end inside thinking."""
    channel: list[int]
    """Tokens that begin the message of the answer, where messages of thinking may stand before it; else empty."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, turn: Turn) -> None:
        self._tokenizer = tokenizer
        added = tokenizer.added_tokens_decoder
        special = {*tokenizer.all_special_ids, *added}
        skipped = {*tokenizer.all_special_ids, *(token for token, known in added.items() if known.special)}
        # A token that the vocabulary lacks has no number.
        names = {token: str(tokenizer.convert_ids_to_tokens(token)) for token in skipped if token is not None}
        self._tags = {token: tag for token, name in names.items() if (tag := thinking_tag(name)) is not None}
        self.opening = self._decode(self._tokens(turn.opening))

        before, between = turn.thought or ("", "")
        begins = (common_end(turn.header, between) or turn.header or between).strip("\n")
        tokens = self._tokens(begins)
        named = any(thinking_tag(str(name)) for name in tokenizer.convert_ids_to_tokens(tokens))
        self.channel = tokens if special.intersection(tokens) and not named else []
        leads = self._tokens(before.strip() or begins) if self.channel else []
        self._thought = next((token for token in leads if token in special), None)
        # What is left of the headers around a thought when their special tokens are left out.
        self._headers = [
            self._decode(self._tokens(header)) for header in (before, between.rstrip().removesuffix(begins))
        ]

    def read(self, ids: list[int]) -> str:
        """The text of these tokens, which follow a prompt; `opening` is not repeated."""
        begin = "" if self.opening else "<think>"
        start = self._start(ids)
        if start is None:
            text = self._decode(ids)
            return begin + text.removeprefix(self._headers[0]) if self._thought in ids else text
        thought, answer = self._decode(ids[: start - len(self.channel)]), self._decode(ids[start:])
        thought = thought.removeprefix(self._headers[0]).removesuffix(self._headers[1])
        if "</think>" in thought or not (thought.strip() or self.opening):
            return thought + answer
        return f"{begin}{thought}</think>{answer}"

    def _start(self, ids: list[int]) -> int | None:
        """Where the answer starts behind the last beginning of its message; None where there is none."""
        size = len(self.channel)
        starts = (at for at in range(len(ids), size - 1, -1) if ids[at - size : at] == self.channel)
        return next(starts, None) if size else None

    def _decode(self, ids: list[int]) -> str:
        pieces: list[str] = []
        start = 0
        for end in [*(at for at, token in enumerate(ids) if token in self._tags), len(ids)]:
            piece = self._tokenizer.decode(ids[start:end], skip_special_tokens=True, clean_up_tokenization_spaces=False)
            assert isinstance(piece, str)
            pieces += [piece, *(self._tags[token] for token in ids[end : end + 1])]
            start = end + 1
        return "".join(pieces)

    def _tokens(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
