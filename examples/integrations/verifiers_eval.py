"""Rolled out by verifiers, judged by shiftgym: both find the same, problem by problem.

    python examples/integrations/verifiers_eval.py points-0 points-1 --problems 32 --out runs/verifiers

The models answer behind an endpoint on this machine (endpoint.py). First `vf-eval` rolls each of them out on each
split, greedily and without an upload. Then `compare`, which is `shiftgym compare`, asks the same endpoint and judges
the other models against the first. In the end success, attempts and reward of every problem are compared, and the exit
code is 1 if any differs.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import fmean

from endpoint import LONGEST, Endpoint

from shiftgym import compare

HERE = Path(__file__).parent
SPLITS = ("id", "rule_ood")
MEASURES = ("success", "attempts", "reward")


def main(models, problems, out):
    labels = [Path(model).name for model in models]
    with Endpoint(models) as endpoint:
        theirs = {}
        for model, label in zip(models, labels, strict=True):
            for split in SPLITS:
                theirs |= rolled_out(endpoint.url, model, label, split, problems, out / "verifiers")
        overrides = [
            f"evaluation.problems={problems}",
            'evaluation.decodings=["greedy"]',
            'compare.decoding="greedy"',
        ]
        asked = [f"{endpoint.url}#{model}" for model in models]
        judged = compare(*asked, labels=labels, overrides=overrides, folder=out / "shiftgym", workers=1)
    ours = measured(judged.folder / "results.jsonl", labels)

    print(f"{'model':<12}{'split':<12}{'vf-eval':>10}{'shiftgym':>10}   success of {problems} problems, in percent")
    for label in labels:
        for split in SPLITS:
            means = [100 * fmean(of[label, split, at]["success"] for at in range(problems)) for of in (theirs, ours)]
            print(f"{label:<12}{split:<12}{means[0]:>10.1f}{means[1]:>10.1f}")
    different = [key for key in theirs | ours if theirs.get(key) != ours.get(key)]
    print(f"{len(ours) - len(different)} of {len(ours)} problems have the same success, attempts and reward.")
    for key in different:
        print(*key, f"vf-eval {theirs.get(key)}, shiftgym {ours.get(key)}")
    for label, verdicts in judged.verdicts.items():
        for split, verdict in verdicts.items():
            print(f"{label}, {split}: {verdict.sentence}.")
    print(f"For figures: shiftgym report {judged.folder}")
    return bool(different)


def rolled_out(url, model, label, split, problems, out):
    """What `vf-eval` finds: (label, split, problem) -> measures."""
    name = f"{label}-{split}"
    command = [
        str(Path(sys.executable).with_name("vf-eval")), "shiftgym-points", "--no-push", "--no-rich", "--clean",
        "--output-dir", str(out), "--run.name", name,
        "--env.taskset.split", split, "--env.taskset.problems", str(problems),
        "--model", model, "--client.base-url", url, "--client.api-key-var", "OPENAI_API_KEY",
        "--sampling.temperature", "0", "--sampling.max-tokens", str(LONGEST),
    ]  # fmt: skip
    # As if the package had been installed: pip install -e examples/integrations/verifiers_points
    path = os.pathsep.join([str(HERE / "verifiers_points"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    print(f"vf-eval: {model} has answered {problems} problems of {split}", flush=True)
    found = {}
    for line in (out / name / "traces.jsonl").read_text().splitlines():
        (trace,) = json.loads(line)["traces"]
        measures = {**trace["metrics"], "reward": trace["rewards"]["reward"]["score"]}
        found[label, split, trace["task"]["data"]["index"]] = {measure: measures[measure] for measure in MEASURES}
    return found


def measured(results, labels):
    """What `compare` found: (label, split, problem) -> measures."""
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    label_of = dict(zip(dict.fromkeys(row["branch"] for row in rows), labels, strict=True))
    return {
        (label_of[row["branch"]], row["split"], row["problem"]): {measure: row[measure] for measure in MEASURES}
        for row in rows
        if row["split"] in SPLITS
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="the model before training, then one or more after it")
    parser.add_argument("--problems", type=int, default=32, help="problems a split")
    parser.add_argument("--out", type=Path, default=Path("runs/verifiers"))
    given = parser.parse_args()
    sys.exit(main(given.models, given.problems, given.out))
