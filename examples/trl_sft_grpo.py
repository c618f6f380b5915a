"""Does TRL's SFTTrainer memorise where its GRPOTrainer generalises? Both from the same start, then judged alike.

    python examples/trl_sft_grpo.py --out runs/trl

The tiny backbone that ships with shiftgym learns to make 24 from four cards. In the training problems J, Q and K count
as 10. The shifted split `rule_ood` asks for the same under another rule: they count as 11, 12 and 13. A model that has
learned to read the rule gains there too; one that has learned the training rule by heart loses.

What is shiftgym's here: the data (`shiftgym data`), the verifier as a reward, the callback that follows both splits
along training, and the comparison at the end. All else is plain TRL.

About ten minutes on two CPU cores; `--sft-steps`, `--grpo-steps` and `--problems` make it shorter or longer.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from shiftgym import load_policy, load_study
from shiftgym.integrations.trl import ShiftCallback

STUDY = "points-text"
TRAINING_PROBLEMS = 1000


def data(kind: str, out: Path):
    """The training problems of the study, with the expert's answers (`sft`) or without (`problems`)."""
    file = out / f"{kind}.jsonl"
    command = Path(sys.executable).with_name("shiftgym")
    count = str(TRAINING_PROBLEMS)
    subprocess.run([command, "data", kind, file, "--study", STUDY, "--split", "train", "--count", count], check=True)
    return load_dataset("json", data_files=str(file), split="train", cache_dir=str(out / "cache"))


def watched(every: int, problems: int, label: str) -> ShiftCallback:
    """Logs `shift/id/success`, `shift/rule_ood/success` and the like, now, every so many steps and at the end."""
    return ShiftCallback(study=STUDY, every=every, label=label, overrides=(f"evaluation.problems={problems}",))


# TRL's defaults are for large models on a GPU: half precision and recomputed activations only slow this one down.
SMALL = {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "save_strategy": "no", "report_to": "none"}


def sft(out: Path, steps: int, problems: int) -> Path:
    """Raise the likelihood of the expert's answers."""
    model, chat_format = load_policy("points-0")
    # TRL learns from a completion alone and not from its prompt, if it is told which is which.
    rows = data("sft", out).map(
        lambda row: {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}, remove_columns=["messages"]
    )
    trainer = SFTTrainer(
        model,
        SFTConfig(
            output_dir=str(out / "sft"),
            max_steps=steps,
            per_device_train_batch_size=64,
            learning_rate=3e-4,
            logging_steps=10,
            **SMALL,
        ),
        train_dataset=rows,
        processing_class=chat_format.tokenizer,
        callbacks=[watched(max(steps // 4, 1), problems, "SFT")],
    )
    trainer.train()
    trainer.save_model()
    return out / "sft"


def grpo(out: Path, steps: int, problems: int) -> Path:
    """Make those of the model's own answers likelier that the verifier rewards more than others to the same problem."""
    model, chat_format = load_policy("points-0")
    task = load_study(STUDY).build_task()

    def reward(completions, split, index, **_):
        """The verifier's reward of each answer, given as a message. TRL hands over the columns of the data as well."""
        decisions = [task.start(task.problem(*which)) for which in zip(split, index, strict=True)]
        answers = [messages[0]["content"] for messages in completions]
        return [decision.judge(answer).reward for decision, answer in zip(decisions, answers, strict=True)]

    trainer = GRPOTrainer(
        model,
        reward,
        GRPOConfig(
            output_dir=str(out / "grpo"),
            max_steps=steps,
            per_device_train_batch_size=128,
            num_generations=8,
            max_completion_length=96,
            learning_rate=1e-4,
            warmup_steps=steps // 10,
            beta=0.01,
            logging_steps=10,
            **SMALL,
        ),
        train_dataset=data("problems", out),
        processing_class=chat_format.tokenizer,
        callbacks=[watched(max(steps // 4, 1), problems, "GRPO")],
    )
    trainer.train()
    trainer.save_model()
    return out / "grpo"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="SFT and GRPO of TRL from the same start, compared by shiftgym.")
    parser.add_argument("--sft-steps", type=int, default=200, help="optimizer steps of 64 answers")
    parser.add_argument("--grpo-steps", type=int, default=60, help="optimizer steps of 128 answers")
    parser.add_argument("--problems", type=int, default=128, help="problems a split, at each measurement")
    parser.add_argument("--out", type=Path, default=Path("runs/trl"), help="folder of data, models and report")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    sft(options.out, options.sft_steps, options.problems)
    grpo(options.out, options.grpo_steps, options.problems)


if __name__ == "__main__":
    main()
