"""Does SFT memorise where GRPO generalises? TRL trains both from the same start, and shiftgym judges them alike.

    python examples/trl_sft_grpo.py --out runs/trl

The tiny backbone that ships with shiftgym makes 24 from four cards. Where it trains, J, Q and K count as 10. The
shifted split `rule_ood` asks for the same under another rule, in which they count as 11, 12 and 13. Whoever learns to
read the rule gains there as well; whoever learns the trained rule by heart loses.

From shiftgym come the data (`shiftgym data`), the verifier as a reward, the callback that measures both splits along
training, and the comparison at the end. Everything else is TRL as in its own documentation. With the defaults, under
which both spend about as much compute, it takes some ten minutes on two CPU cores.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from datasets import Dataset, load_dataset
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from shiftgym import compare, load_policy, load_study
from shiftgym.integrations.trl import ShiftCallback

START = "points-0"
STUDY = "points-text"
COMMON: dict[str, Any] = {
    "use_cpu": True,
    # TRL's defaults for the next two serve large models on a GPU and only slow down a small one on a CPU.
    "bf16": False,
    "gradient_checkpointing": False,
    "logging_steps": 10,
    "save_strategy": "no",
    "report_to": "none",  # or "wandb", "tensorboard", "trackio": the callback logs to them as well
}


def data(kind: str, out: Path) -> Dataset:
    """The first 1000 training problems, with the expert's answers (`sft`) or without (`problems`)."""
    file = out / f"{kind}.jsonl"
    subprocess.run([Path(sys.executable).with_name("shiftgym"), "data", kind, file, "--study", STUDY], check=True)
    return load_dataset("json", data_files=str(file), split="train", cache_dir=str(out / "cache"))


def sft(out: Path, steps: int, callback: ShiftCallback) -> Path:
    """Raise the likelihood of the expert's answers; the folder of the trained model."""
    model, chat_format = load_policy(START)
    # Told apart in this way, the prompt is only read, and only the answer is learned.
    rows = data("sft", out).map(lambda row: {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]})
    trainer = SFTTrainer(
        model,
        SFTConfig(str(out / "sft"), max_steps=steps, per_device_train_batch_size=64, learning_rate=3e-4, **COMMON),
        train_dataset=rows.remove_columns("messages"),
        processing_class=chat_format.tokenizer,
        callbacks=[callback],
    )
    trainer.train()
    trainer.save_model()
    return out / "sft"


def grpo(out: Path, steps: int, callback: ShiftCallback) -> Path:
    """Of eight own answers to a problem, make those likelier that the verifier likes better than the rest."""
    model, chat_format = load_policy(START)
    task = load_study(STUDY).build_task()

    def reward(completions: list[Any], index: list[int], **_: Any) -> list[float]:
        """The verifier's reward of each answer. TRL hands over the columns of the data, `index` among them."""
        decisions = [task.start(task.problem("train", each)) for each in index]
        return [
            decision.judge(answer[0]["content"]).reward for decision, answer in zip(decisions, completions, strict=True)
        ]

    settings = GRPOConfig(
        str(out / "grpo"),
        max_steps=steps,
        per_device_train_batch_size=128,
        num_generations=8,
        max_completion_length=96,
        learning_rate=1e-4,
        **COMMON,
    )
    trainer = GRPOTrainer(
        model,
        reward,
        settings,
        train_dataset=data("problems", out),
        processing_class=chat_format.tokenizer,
        callbacks=[callback],
    )
    trainer.train()
    trainer.save_model()
    return out / "grpo"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="SFT and GRPO of TRL from one start, compared by shiftgym.")
    parser.add_argument("--sft-steps", type=int, default=100, help="steps of 64 answers of the expert")
    parser.add_argument("--grpo-steps", type=int, default=40, help="steps of 128 answers of the model")
    parser.add_argument("--problems", type=int, default=128, help="problems a split, whenever a model is measured")
    parser.add_argument("--out", type=Path, default=Path("runs/trl"), help="folder of data, models and reports")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    # The primary measure is taken from sampled answers, so greedy ones are left out.
    overrides = [f"evaluation.problems={options.problems}", "evaluation.decodings=['sampled']"]

    trained = []
    for train, steps, label in ((sft, options.sft_steps, "SFT"), (grpo, options.grpo_steps, "GRPO")):
        callback = ShiftCallback(study=STUDY, every=max(steps // 2, 1), label=label, overrides=overrides)
        trained.append(train(options.out, steps, callback))

    labels, folder = [START, "SFT", "GRPO"], options.out / "compare"
    found = compare(START, *trained, study=STUDY, labels=labels, overrides=overrides, folder=folder)
    print(found, f"Report: {found.report()}", sep="\n")


if __name__ == "__main__":
    main()
