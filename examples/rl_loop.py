"""Reinforcement learning from beginning to end in one file: the recipe `ppo` of the library without its abstractions.

    python examples/rl_loop.py --steps 20 --out runs/rl-loop

One step: play episodes with sequential revision (an answer that fails is followed by the verifier's message and another
attempt, up to the limit), estimate with a value head how much better each answer was than expected, and make the better
ones likelier. `tests/examples/test_rl_loop.py` shows that three steps of this file and three steps of the library give
the same weights.

Left out, since it changes speed, memory or convenience but not the mathematics: prefix trees, microbatches, bfloat16,
pictures, the ledger of compute, checkpoints and resuming.

Names of tensors and lists end in their shape: B conversations, T tokens of the longest one, N answers of these
conversations (one an attempt), A tokens of these answers, H hidden size, V vocabulary.
"""

import argparse
import copy
from pathlib import Path
from statistics import fmean, pstdev

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from shiftgym import build_task, derive, load_policy, play, rng

PROBLEMS = 1000
"""Size of the training set: the first so many problems of the split, in a new order each epoch."""
EPISODES = 128
"""Episodes played before each update."""
MINIBATCH = 32
"""Episodes an optimizer step."""
EPOCHS = 1
"""How often a step learns from its episodes. On points-0 a second time gains less than new episodes."""
MAX_NEW_TOKENS = 96
"""Longest answer. The sampling temperature is 1, so that what is sampled and what is trained are one distribution."""
REWARD_SCALE = 0.2
"""Rewards (5 for a right answer, down to -4) are multiplied by this, so that values are of the order of 1."""
GAMMA = 1.0
"""Discount from one attempt to the next."""
LAMBDA = 0.95
"""Of the generalised advantage estimate: 1 trusts the rewards that followed, 0 the value head."""
CLIP = 0.2
KL = 0.01
"""Weight of the divergence from the model that training started with."""
LEARNING_RATE = 1e-4
WARMUP = 0.1
"""Share of the run in which the rate rises from a tenth of its peak; afterwards it falls to zero. Without it Adam's
first steps, which are mostly noise, would be as large as its later ones."""
VALUE_RATE = 10.0
"""Learning rate of the value head, as a multiple of the model's: it starts from nothing."""
BETAS = (0.9, 0.98)
MAX_GRAD_NORM = 1.0


def train(model_name: str, steps: int, seed: int, out: Path) -> None:
    # In evaluation mode throughout: with dropout the probabilities in training would differ from those of sampling.
    model, chat_format = load_policy(model_name)
    task = build_task("points")
    start = copy.deepcopy(model).requires_grad_(False)

    # The value head: a small network on the state at the token before an answer. Its last layer starts at zero, so that
    # the first advantages are the returns themselves.
    size = model.config.get_text_config().hidden_size
    head = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, 1))
    with torch.no_grad():
        head[0].weight.normal_(0, size**-0.5, generator=torch.Generator().manual_seed(derive(seed, "value_head")))
        for zero in (head[0].bias, head[2].weight, head[2].bias):
            zero.zero_()
    optimizer = torch.optim.AdamW(
        [{"params": model.parameters()}, {"params": head.parameters()}], betas=BETAS, weight_decay=0.0
    )

    for step in range(1, steps + 1):
        done = (step - 1) / steps
        rise, fall = 0.1 + 0.9 * done / WARMUP, (1 - done) / (1 - WARMUP)
        rate = LEARNING_RATE * (rise if done < WARMUP else fall)
        optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"] = rate, rate * VALUE_RATE

        # 1. Play. The random stream of an answer is named by what it answers (step, episode; `play` adds decision and
        # attempt), so no batch size changes what is sampled.
        indices = []
        for position in range((step - 1) * EPISODES, step * EPISODES):
            epoch, index = divmod(position, PROBLEMS)
            indices.append(rng(seed, "train", "order", "train", epoch).sample(range(PROBLEMS), PROBLEMS)[index])
        noise = [["train", "ppo", step, episode] for episode in range(EPISODES)]
        episodes = play(
            (model, chat_format), task, indices, noise=noise, seed=seed, max_new_tokens=MAX_NEW_TOKENS, ahead=True
        )

        # 2. A decision and all its attempts are one conversation: prompt, answer, feedback, answer ... Prompt and
        # feedback are context, and each answer is one action. Trap: never tokenise an answer's text again. It may come
        # out as other tokens than those that were sampled, and then no log-probability fits.
        conversations = [
            {
                "episode": number,
                "ids": record.transcript.ids,
                "spans_N": record.transcript.spans,
                "old_A": [logprob for answer in record.transcript.logprobs for logprob in answer],
                "rewards_N": [REWARD_SCALE * reward for reward in record.rewards],
            }
            for number, episode in enumerate(episodes)
            for record in episode.decisions
        ]

        # 3. What each attempt was worth before it was answered, and what the model at the start thinks of each token.
        # Both are data, found once a step with the weights that played.
        with torch.no_grad():
            ids_BT, before_N, target_A = pad(conversations)
            hidden_BTH = model.base_model(input_ids=ids_BT, use_cache=False).last_hidden_state
            values_N = iter(head(hidden_BTH[before_N].float())[:, 0].tolist())
            reference_A = iter(token_logprobs(start, ids_BT, target_A)[0].tolist())
        for one in conversations:
            one["values_N"] = [next(values_N) for _ in one["spans_N"]]
            one["reference_A"] = [next(reference_A) for _ in one["old_A"]]

        # 4. Generalised advantage estimates, backwards over the attempts of a decision:
        #     delta_n = r_n + gamma V_n+1 - V_n        advantage_n = delta_n + gamma lambda advantage_n+1
        # The limit of attempts is part of the problem and running out of them is penalised in the last reward, so the
        # value after the last attempt is 0. The value head's target is advantage + value.
        for one in conversations:
            advantage = following = 0.0
            advantages_N = []
            for reward, value in zip(reversed(one["rewards_N"]), reversed(one["values_N"]), strict=True):
                advantage = reward + GAMMA * following - value + GAMMA * LAMBDA * advantage
                following = value
                advantages_N.insert(0, advantage)
            one["advantages_N"] = advantages_N
            one["returns_N"] = [a + value for a, value in zip(advantages_N, one["values_N"], strict=True)]

        # 5. From each advantage subtract the mean over all advantages of the same attempt number. Trap: later attempts
        # are reached only after failures, so their advantages are mostly negative; left so, they push down tokens that
        # are nearly certain, and later answers turn into noise. Then divide by the standard deviation of all.
        by_attempt: dict[int, list[float]] = {}
        for one in conversations:
            for attempt, advantage in enumerate(one["advantages_N"]):
                by_attempt.setdefault(attempt, []).append(advantage)
        means = {attempt: fmean(alike) for attempt, alike in by_attempt.items()}
        for one in conversations:
            one["advantages_N"] = [a - means[attempt] for attempt, a in enumerate(one["advantages_N"])]
        deviation = pstdev([advantage for one in conversations for advantage in one["advantages_N"]]) + 1e-6
        for one in conversations:
            # Each token of an answer has the advantage of its answer.
            weighed = zip(one["advantages_N"], one["spans_N"], strict=True)
            one["advantages_A"] = [a / deviation for a, (begin, end) in weighed for _ in range(begin, end)]

        # 6. Learn: minibatches of whole episodes, in an order of the epoch's own.
        losses = []
        for epoch in range(EPOCHS):
            shuffled = rng(seed, "train", "ppo", step, "shuffle", epoch).sample(range(EPISODES), EPISODES)
            for first in range(0, EPISODES, MINIBATCH):
                chosen = shuffled[first : first + MINIBATCH]
                minibatch = [one for number in chosen for one in conversations if one["episode"] == number]
                ids_BT, before_N, target_A = pad(minibatch)
                old_A, reference_A, advantages_A, returns_N = (
                    torch.tensor([value for one in minibatch for value in one[name]])
                    for name in ("old_A", "reference_A", "advantages_A", "returns_N")
                )
                logprobs_A, hidden_BTH = token_logprobs(model, ids_BT, target_A)

                # The clipped objective: the gain of a token grows with its probability ratio only up to 1 +/- CLIP, so
                # that one update does not leave the region in which the old samples are still informative. The old
                # log-probabilities are those recorded in sampling, so the first ratios are 1 but for rounding.
                ratios_A = (logprobs_A - old_A).exp()
                clipped_A = ratios_A.clamp(1 - CLIP, 1 + CLIP)
                policy_loss = -torch.minimum(ratios_A * advantages_A, clipped_A * advantages_A).mean()

                # KL(model || start) by the estimator k3 = exp(d) - d - 1, d = log start - log model, at the sampled
                # tokens: never negative, and of less variance than -d, whose expectation is the same.
                difference_A = reference_A - logprobs_A
                kl = (difference_A.exp() - difference_A - 1).mean()

                # The value head reads detached states. Trap: if its loss changes the model, training over several
                # attempts collapses. This is a mean over attempts, where the other two terms are means over tokens.
                errors_N = head(hidden_BTH[before_N].detach().float())[:, 0] - returns_N
                value_loss = 0.5 * (errors_N**2).mean()
                loss = policy_loss + KL * kl + value_loss

                optimizer.zero_grad()
                loss.backward()
                # The head's gradient is separate from the model's, so each is clipped on its own.
                norms = [clip_grad_norm_(each.parameters(), MAX_GRAD_NORM) for each in (model, head)]
                if not all(number.isfinite() for number in (loss, *norms)):
                    raise FloatingPointError(f"step {step}: the loss or a gradient is not finite")
                optimizer.step()
                losses.append((policy_loss.item(), value_loss.item(), kl.item()))

        policy_loss, value_loss, kl = map(fmean, zip(*losses, strict=True))
        reward, success = fmean(one.reward for one in episodes), fmean(one.success for one in episodes)
        print(
            f"step {step}  reward {reward:.2f}  success {success:.2f}  policy_loss {policy_loss:.4f}  "
            f"value_loss {value_loss:.4f}  kl {kl:.4f}",
            flush=True,
        )

    # A directory that `load_policy`, `from_pretrained` and `shiftgym eval` read. The value head is not needed any more.
    model.save_pretrained(out)
    chat_format.reader.save_pretrained(out)
    print(f"Model: {out}")


def pad(conversations):
    """Conversations as tensors, padded on the right. A causal model never looks to the right, so the padding needs no
    attention mask, and token t of a row keeps position t.

    Returns:
        ids_BT: the tokens.
        before_N: row and column of the token before each answer, where its value is read.
        target_A: row and column of each answer token.
    """
    longest = max(len(one["ids"]) for one in conversations)
    ids_BT = torch.zeros(len(conversations), longest, dtype=torch.long)
    before, target = [], []
    for row, one in enumerate(conversations):
        ids_BT[row, : len(one["ids"])] = torch.tensor(one["ids"])
        for begin, end in one["spans_N"]:
            before.append((row, begin - 1))
            target += [(row, column) for column in range(begin, end)]
    return ids_BT, torch.tensor(before).unbind(1), torch.tensor(target).unbind(1)


def token_logprobs(model, ids_BT, target_A):
    """(A,) log-probability of each answer token, and the (B, T, H) states that it comes from.

    The state at column t - 1 predicts the token at column t. Prompts and feedback need no logits, so the output
    embeddings run on answer tokens alone; the softmax is whole and in float32, as it is in sampling.
    """
    row_A, column_A = target_A
    hidden_BTH = model.base_model(input_ids=ids_BT, use_cache=False).last_hidden_state
    logits_AV = model.get_output_embeddings()(hidden_BTH[row_A, column_A - 1]).float()
    return torch.log_softmax(logits_AV, dim=-1).gather(1, ids_BT[target_A][:, None])[:, 0], hidden_BTH


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="PPO with a value head over episodes of sequential revision.")
    parser.add_argument("--model", default="points-0", help="a shipped backbone, a model directory, or a hub id")
    parser.add_argument("--steps", type=int, default=20, help="iterations: play episodes, then learn from them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/rl-loop"), help="folder of the trained model")
    options = parser.parse_args(arguments)
    train(options.model, options.steps, options.seed, options.out)


if __name__ == "__main__":
    main()
