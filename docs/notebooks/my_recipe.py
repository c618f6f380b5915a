# %% [markdown]
# # My recipe
#
# This notebook writes a recipe, trains a small model with it, and compares it with SFT and PPO at equal compute. The
# training is so short that it takes seconds, so most of what it finds is undecided. It ends with how to ask in
# earnest.
#
# ## Write it
#
# SFT learns from the expert's answers only. PPO learns from the model's own answers only. Here is a recipe in
# between: the model answers each problem once, and learns its own answer where that is right, and the expert's where
# it is wrong.

# %%
import json
from pathlib import Path
from tempfile import mkdtemp

from matplotlib import pyplot as plt

from shiftgym import Collection, Recipe, SamplingSettings, SupervisedSettings, difference, evaluate, load_study, train


class OwnFirstSettings(SupervisedSettings, SamplingSettings):
    """No settings besides those of supervised and of sampling recipes."""


class OwnFirst(Recipe):
    """Own answers where they are right, the expert's where they are not."""

    name = "own-first"
    Settings = OwnFirstSettings
    family = "between"

    @property
    def sampled_by(self):
        return "present"

    def collect(self, step):
        split, indices = self.settings.train_on, self.problems(step, self.settings.batch)
        groups, solved = [], 0
        for index, decisions in zip(indices, self.player.answers(split, indices, 1, [*self.noise, step]), strict=True):
            [[(own, right)]] = decisions  # one decision a problem, one sample a decision
            groups.append([own] if right else self.player.expert(split, index))
            solved += right
        return Collection(groups, {"success_1": solved / len(groups)})


# %% [markdown]
# `collect` says what a step learns from. The loss, the optimizer, the count of compute and checkpoints are not its
# concern. `self.noise` names the randomness of the answers, so that the same seed gives the same bytes.
#
# ## Train it, and two others
#
# Each may spend the same compute, in FLOPs, and what it samples counts too. To be quick, a hand may be tried twice
# here, and not five times.

# %%
BUDGET = 8e10

task = load_study("points-text", ["task.limit=2"]).build_task()
recipes = {
    "SFT": ("sft", {"batch": 16, "optimizer": {"learning_rate": 3e-4}}),
    "PPO": ("ppo", {"episodes_per_iteration": 8, "minibatch": 8, "optimizer": {"learning_rate": 2e-4}}),
    "own first": (OwnFirst, {"batch": 16, "optimizer": {"learning_rate": 3e-4}}),
}
trained, curves = {}, {}
for label, (recipe, settings) in recipes.items():
    folder = Path(mkdtemp())
    settings = {"precision": "auto", **settings}
    trained[label] = train("points-0", recipe, task, folder=folder, settings=settings, budget_flops=BUDGET)
    curves[label] = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    print(f"{label:10}{trained[label].steps:3} steps, {trained[label].ledger.flops:.2g} FLOPs")

# %% [markdown]
# A step of PPO or of the new recipe costs more compute than one of SFT, since it samples. So at equal compute they
# make fewer steps. A training ends with the first step that reaches its budget.
#
# ## Look at the curves
#
# `metrics.jsonl` has a line for each step. Losses of different recipes mean different things and cannot be compared.
# What can be compared, among recipes that sample, is the share of own first answers that were right.

# %% The share of own first answers that were right in training, against compute
axes = plt.figure(figsize=(6, 3), layout="constrained").add_subplot()
for label in ("PPO", "own first"):
    axes.plot(
        [line["flops"] for line in curves[label]], [line["success_1"] for line in curves[label]], "o-", label=label
    )
axes.set(xlabel="FLOPs", ylabel="right first answers", ylim=(0, 1))
axes.legend()


# %% [markdown]
# PPO samples 8 answers a step and the new recipe 16, so these curves are mostly noise.
#
# ## Compare them
#
# Every model answers the same problems, with the same random numbers, so each difference is paired. It counts as a
# rise or a fall only where its interval does not hold zero.

# %%
SPLITS = ["id", "rule_ood"]


def asked(model):
    return evaluate(model, task, splits=SPLITS, problems=24, decodings=["sampled"])


def points(change):
    return f"{100 * change.value:+.0f} [{100 * change.low:+.0f}, {100 * change.high:+.0f}]"


start = asked("points-0")
after = {label: asked(str(result.checkpoints[-1].path)) for label, result in trained.items()}
changes = {}
for measure in ("success_1", "success"):
    for split in SPLITS:
        for label, evaluation in after.items():
            change = difference(evaluation.values(measure, split=split), start.values(measure, split=split))
            changes[measure, split, label] = change
            word = {1: "rose", -1: "fell", 0: "undecided"}[change.sign]
            print(f"{measure:10} {split:9} {label:10} {points(change):16} {word}")

# %% [markdown]
# `success_1` is success with one attempt, `success` within two. All changes are in points, against the start.
#
# ## What can be said
#
# A rise at home is easy to get: a short training of any kind gives it. Which recipe is *better* is another question,
# and for that the branches have to be compared with each other.

# %%
for label in ("SFT", "PPO"):
    ours, theirs = (after[each].values("success_1", split="rule_ood") for each in ("own first", label))
    print(f"own first - {label} on rule_ood: {points(difference(ours, theirs))}")

# %% [markdown]
# With one seed, 24 problems and a few steps such an interval is tens of points wide. To ask in earnest, put the class
# into a file `own_first.py`, prove it by `shiftgym check own_first:OwnFirst`, and let a study train it with five
# seeds and far more compute:
#
# <!-- not run: it takes half an hour -->
# ```sh
# shiftgym study run points-text \
#     --set 'branches.own={recipe="own_first:OwnFirst", label="own first", optimizer={learning_rate=3e-4}}'
# ```
#
# [My recipe](../my-recipe.md) goes on from here.
