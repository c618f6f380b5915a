"""The backbone's tokenizer: trained on the task's own texts.

What a corpus names (numbers, card symbols, directions ...) are pieces of their own, so a value is always one token
wherever it stands. What lies between them is one piece too, and frequent pieces become tokens whole: the constant
sentences of the prompt cost a token each. Everything else falls back to bytes, so any text can be read and written.
"""

from collections import Counter
from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

PAD, USER, ASSISTANT, END = "<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' }}"
    "{{ message['content'] }}"
    "{{ '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)

SEEING_TEMPLATE = CHAT_TEMPLATE.replace(
    "{{ message['content'] }}",
    "{% for part in message['content'] %}{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}",
)
"""The same for a message in parts, as models that see are given it."""


def train_tokenizer(texts: Iterable[str], vocabulary: int, named: str, numbers: int) -> PreTrainedTokenizerFast:
    """A tokenizer with at most `vocabulary` tokens: 4 special tokens, 256 bytes, numbers and the commonest pieces.

    Args:
        named: regular expression of pieces that stand alone.
        numbers: those below are tokens even where the texts lack them.
    """
    pieces = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(named), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    counts = Counter(piece for text in texts for piece, _ in pieces.pre_tokenize_str(text))
    specials = [PAD, USER, ASSISTANT, END]
    tokens = dict.fromkeys([*specials, *sorted(pre_tokenizers.ByteLevel.alphabet()), *map(str, range(numbers))])
    common = sorted(counts, key=lambda piece: (-counts[piece], piece))
    tokens |= dict.fromkeys(common[: vocabulary - len(tokens)])
    # With `ignore_merges` a piece that is a token is taken whole; without merges any other piece falls back to bytes.
    model = models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=[], ignore_merges=True)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pieces
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in specials])
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, clean_up_tokenization_spaces=False
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast
