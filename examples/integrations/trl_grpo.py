"""TRL trains with sequential revision, and shiftgym judges what came of it.

    python examples/integrations/trl_grpo.py --out runs/trl_grpo

The tiny backbone that ships with shiftgym makes 24 from four cards. After a wrong answer it reads what the verifier
says and tries again, up to five times. GRPO of TRL makes those of eight such conversations about a hand likelier that
earned more. Then the model before and the model after are asked the same problems: hands of the training, new hands,
and new hands under a rule that the training never had.

`--one-attempt` trains on first answers alone.
"""

import argparse
from pathlib import Path

from trl import GRPOConfig, GRPOTrainer

from shiftgym import Problems, compare, load_policy
from shiftgym.integrations.trl import dataset, reward_funcs, rollout_func

START = "points-0"
STUDY = "points-text"
HANDS = 1000


def train(options: argparse.Namespace, out: Path) -> None:
    model, chat_format = load_policy(START)
    limit = 1 if options.one_attempt else None
    trainer = GRPOTrainer(
        model,
        reward_funcs,
        GRPOConfig(
            str(out),
            max_steps=options.steps,
            per_device_train_batch_size=options.conversations,
            num_generations=8,
            max_completion_length=96,  # of each answer
            learning_rate=1e-4,
            use_cpu=True,
            # TRL's defaults for the next two serve large models on a GPU and only slow down a small one on a CPU.
            bf16=False,
            gradient_checkpointing=False,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
        ),
        train_dataset=dataset(Problems(STUDY, limit=limit), "train", HANDS),
        processing_class=chat_format.tokenizer,
        rollout_func=None if options.one_attempt else rollout_func,
    )
    trainer.train()
    trainer.save_model()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="GRPO of TRL with sequential revision, judged by shiftgym.")
    parser.add_argument("--steps", type=int, default=30, help="optimizer steps")
    parser.add_argument("--conversations", type=int, default=64, help="conversations a step, eight for each hand")
    parser.add_argument("--one-attempt", action="store_true", help="one answer instead of sequential revision")
    parser.add_argument("--problems", type=int, default=128, help="problems a split when the models are compared")
    parser.add_argument("--out", type=Path, default=Path("runs/trl_grpo"), help="folder of the model and the report")
    options = parser.parse_args(arguments)
    train(options, options.out / "model")
    asked = [f"evaluation.problems={options.problems}", "evaluation.decodings=['sampled']"]
    found = compare(
        START,
        options.out / "model",
        study=STUDY,
        labels=[START, "GRPO"],
        overrides=asked,
        folder=options.out / "compare",
    )
    print(found, f"Report: {found.report()}", sep="\n")


if __name__ == "__main__":
    main()
