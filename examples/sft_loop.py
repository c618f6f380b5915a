"""Supervised fine-tuning from beginning to end in one file: the recipe `sft` of the library without its abstractions.

    python examples/sft_loop.py --steps 100 --out runs/sft-loop

One step: take the next problems of the training set, let the task's expert answer them, and raise the likelihood of
the answers, given their prompts. `tests/examples/test_sft_loop.py` shows that three steps of this file and three steps
of the library give the same weights.

Left out, since it changes speed, memory or convenience but not the mathematics: prefix trees (answers that share a
prompt share its tokens), microbatches, bfloat16, pictures, the ledger of compute, checkpoints and resuming.

Names of tensors end in their shape: B conversations of a batch, T tokens of the longest one, A answer tokens of the
whole batch, H hidden size, V vocabulary.
"""

import argparse
from pathlib import Path

import torch
from torch.nn.utils import clip_grad_norm_

from shiftgym import build_task, load_policy, rng

PROBLEMS = 1000
"""Size of the training set: the first so many problems of the split, in a new order each epoch."""
BATCH = 64
"""Problems an optimizer step."""
LEARNING_RATE = 3e-4
BETAS = (0.9, 0.98)
"""Decay rates of AdamW's moments. 0.98 forgets old squared gradients in about 50 steps, which short runs need."""
MAX_GRAD_NORM = 1.0


def train(model_name: str, steps: int, seed: int, out: Path) -> None:
    # `load_policy` returns the model in evaluation mode, and here it stays so in training: dropout would make the
    # probabilities that are trained differ from those that the model later answers with.
    model, chat_format = load_policy(model_name)
    task = build_task("points")
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=BETAS, weight_decay=0.0)

    for step in range(1, steps + 1):
        # 1. Which problems. An epoch's order has a random stream of its own, named after what it is for. (Never
        # seed + epoch: neighbouring seeds would then share their orders.)
        indices = []
        for position in range((step - 1) * BATCH, step * BATCH):
            epoch, index = divmod(position, PROBLEMS)
            order = rng(seed, "train", "order", "train", epoch).sample(range(PROBLEMS), PROBLEMS)
            indices.append(order[index])

        # 2. What is to be learned: a prompt and the expert's answer for every decision (a hand of cards has one, a
        # route many). The chat template writes the prompt. The answer ends with the template's end token, which is
        # learned too, or the model would never stop.
        conversations = []
        for index in indices:
            decision = task.start(task.problem("train", index))
            while decision is not None:
                prompt = chat_format.prompt(decision.prompt, closed=True)
                answer = chat_format.answer(task.expert(decision))
                conversations.append((prompt, answer))
                decision = decision.next()

        # 3. Pad on the right. A causal model never looks to the right, so the padding needs no attention mask, and
        # token t of a row keeps position t.
        rows = len(conversations)
        longest = max(len(prompt) + len(answer) for prompt, answer in conversations)
        ids_BT = torch.zeros(rows, longest, dtype=torch.long)
        row_A, column_A = [], []
        for row, (prompt, answer) in enumerate(conversations):
            length = len(prompt) + len(answer)
            ids_BT[row, :length] = torch.tensor(prompt + answer)
            row_A += [row] * len(answer)
            column_A += range(len(prompt), length)
        row_A, column_A = torch.tensor(row_A), torch.tensor(column_A)

        # 4. Log-probabilities of the answer tokens. The state at column t - 1 predicts the token at column t. Prompt
        # tokens are context only, so the output embeddings run on answer tokens alone, and the softmax in float32.
        hidden_BTH = model.base_model(input_ids=ids_BT, use_cache=False).last_hidden_state
        logits_AV = model.get_output_embeddings()(hidden_BTH[row_A, column_A - 1]).float()
        logprobs_A = torch.log_softmax(logits_AV, dim=-1).gather(1, ids_BT[row_A, column_A][:, None])[:, 0]

        # 5. The loss: the mean over all answer tokens of the batch, so a long answer counts more than a short one.
        # Trap: the mean over answers of each answer's mean is another loss, and so is the mean over microbatches of
        # each microbatch's mean. Whoever splits the batch divides each sum by the answer tokens of the whole batch.
        loss = -logprobs_A.mean()

        # 6. One optimizer step. If the norm of the gradient is above the limit, it is scaled down as a whole, keeping
        # its direction.
        optimizer.zero_grad()
        loss.backward()
        grad_norm = clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        if not (loss.isfinite() and grad_norm.isfinite()):
            raise FloatingPointError(f"step {step}: the loss or a gradient is not finite; the weights were left alone")
        optimizer.step()
        print(f"step {step}  loss {loss.item():.4f}  grad_norm {grad_norm.item():.3f}", flush=True)

    # A directory that `load_policy`, `from_pretrained` and `shiftgym eval` read.
    model.save_pretrained(out)
    chat_format.reader.save_pretrained(out)
    print(f"Model: {out}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Supervised fine-tuning on the expert's answers.")
    parser.add_argument("--model", default="points-0", help="a shipped backbone, a model directory, or a hub id")
    parser.add_argument("--steps", type=int, default=100, help="optimizer steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/sft-loop"), help="folder of the trained model")
    options = parser.parse_args(arguments)
    train(options.model, options.steps, options.seed, options.out)


if __name__ == "__main__":
    main()
