"""A model of GeneralPoints so small that a whole study takes seconds."""

from pathlib import Path

import pytest

from shiftgym.seeds import derive


@pytest.fixture(scope="session")
def tiny_points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a random Llama of 8 dimensions with a tokenizer for GeneralPoints."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from shiftgym.backbones.points import CORPUS
    from shiftgym.backbones.tokenizer import train_tokenizer
    from shiftgym.tasks.registry import build_task

    task = build_task("points")
    problems = [task.problem("train", index) for index in range(50)]
    tokenizer = train_tokenizer(
        [task.start(one).prompt[0]["content"] for one in problems], 600, CORPUS.pieces, CORPUS.numbers
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(derive(0, "tiny"))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=generator)
    folder = tmp_path_factory.mktemp("tiny") / "model"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
