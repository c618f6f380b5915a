"""How much of what a model can do at home does it keep where the rule is another? Two evaluations of inspect_ai.

    inspect eval examples/integrations/inspect_points.py --model openai/gpt-5-mini   # or any model that inspect knows
    python examples/integrations/inspect_points.py                                   # the shipped backbone, on the CPU

Both ask for 24 from four cards. At home J, Q and K count as 10; in the other evaluation they count as 11, 12 and 13.
A wrong answer is told what is wrong and may be revised, up to five attempts.
"""

import inspect_ai
from inspect_ai import Task, task
from inspect_ai.model import GenerateConfig, get_model

from shiftgym.integrations.inspect_ai import study


@task
def points_home(problems: int = 64) -> Task:
    return study("points-text", problems=problems)


@task
def points_rule_ood(problems: int = 64) -> Task:
    return study("points-text", split="rule_ood", problems=problems)


def main() -> None:
    from shiftgym import load_policy  # not above, since it loads torch, which most models that inspect asks do not need

    folder = load_policy("points-0")[0].name_or_path
    # Sampled at temperature 1, in no more tokens than the study allows: as `shiftgym compare` asks.
    model = get_model(
        "hf/points-0", model_path=folder, device="cpu", config=GenerateConfig(temperature=1.0, max_tokens=96)
    )
    for log in inspect_ai.eval([points_home(), points_rule_ood()], model=model, display="none", log_dir="runs/inspect"):
        success = next(score.metrics for score in log.results.scores if score.name == "success")
        share, low, high = (success[name].value for name in ("accuracy", "ci_wilson_lower", "ci_wilson_upper"))
        print(f"{log.eval.task}: {share:.0%} within five attempts, 95 % interval {low:.0%} to {high:.0%}")
    print("The dialogues: inspect view --log-dir runs/inspect")


if __name__ == "__main__":
    main()
