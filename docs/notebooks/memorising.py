# %% [markdown]
# # Is it memorising?
#
# This notebook trains a small model for a few seconds, judges it under a shift before, during and after the training,
# and looks at the numbers behind the verdicts. Any other model is judged by the same lines. Beside shiftgym it uses
# polars.
#
# ## Train
#
# The model `navigation-0` follows instructions along a route through a city. In training a turn is a compass word
# (`turn_direction(east)`). Under the shift `rule_ood` it is left or right, and the prompt says so. SFT goes on here
# with a high learning rate, and three checkpoints are kept on the way.

# %%
from tempfile import mkdtemp

import polars as pl
from matplotlib import pyplot as plt

from shiftgym import Run, compare, load_policy, load_study, play, train

task = load_study("navigation-text").build_task()
optimizer = {"name": "muon", "learning_rate": 1e-2, "warmup": 0.3, "schedule": "linear"}
settings = {"batch": 4, "optimizer": optimizer}
milestones = [0.25, 0.5, 1.0]
trained = train("navigation-0", "sft", task, folder=mkdtemp(), steps=18, milestones=milestones, settings=settings)
checkpoints = {f"step {each.step}": each.path for each in trained.checkpoints}
print(*checkpoints, sep=", ")

# %% [markdown]
# ## Judge
#
# `compare` asks every model the same routes and compares it with the first one, the model before training. A verdict
# follows from two paired differences, one at home (`id`) and one under the shift, each with its 95 % interval. The
# study declares by which measure: here it is the share of right answers up to the first stop that failed.

# %%
found = compare(
    load_policy("navigation-0"),
    *[load_policy(str(path)) for path in checkpoints.values()],
    labels=["start", *checkpoints],
    study="navigation-text",
    overrides=["evaluation.problems=16", 'evaluation.decodings=["sampled"]'],
    folder=mkdtemp(),
)
for label in checkpoints:
    print(found.verdicts[label]["rule_ood"].sentence)

# %% [markdown]
# A change counts as a rise or a fall only where its interval does not hold zero. After 5 steps the model is better
# under the shift than before, although it has only seen the trained rule. At the end it has lost nearly everything
# there, and that fall counts. The verdict *memorised* needs a rise at home as well. With 16 routes the interval of a
# small rise holds zero, so the verdict is *undecided*. More routes would make the intervals narrower.
#
# ## The numbers behind it
#
# A comparison and a study leave a run folder. `Run(folder)` shows its report in a notebook, and `results()` is a
# table with a row for each route that a model walked. [In a notebook](../notebooks.md) says what every column is.

# %%
rows = pl.DataFrame(Run(found.folder).results())
rates = (
    rows.filter(pl.col("split") != "train")
    .group_by("branch", "split", maintain_order=True)
    .agg(pl.len().alias("routes"), pl.mean("per_step", "perseverated").round(2))
)
print(rates)

# %% [markdown]
# `perseverated` is the share of first answers that would be right under the trained rule while another is in force.
# It grows where a model has made the trained rule a habit.
#
# ## The way of the model
#
# The picture has a point for each checkpoint: to the right is better at home, upwards is better under the shift.
# Accuracy at home hardly changes, while accuracy under the shift first rises and then falls far.

# %% Accuracy at home against accuracy under the shift, from the start over three checkpoints
home, shifted = (
    dict(rates.filter(pl.col("split") == split).select("branch", "per_step").iter_rows())
    for split in ("id", "rule_ood")
)
axes = plt.figure(figsize=(5, 4), layout="constrained").add_subplot()
axes.plot([home[name] for name in home], [shifted[name] for name in home], "o-")
for name in home:
    axes.annotate(f"  {name}", (home[name], shifted[name]))
axes.set(xlabel="right answers on id", ylabel="right answers on rule_ood", xlim=(0, 1.2), ylim=(0, 1.05))

# %% [markdown]
# ## One wrong answer
#
# To see what these numbers count, look at one answer. The last checkpoint gave it under the shifted rule, and it
# would be right under the trained one.

# %%
episodes = play(str(trained.checkpoints[-1].path), task, 4, split="rule_ood", max_new_tokens=64, ahead=True)
habit = next(
    (record, attempt)
    for episode in episodes
    for record in episode.decisions
    for attempt in record.attempts[:1]
    if task.diagnose(record.decision, attempt.answer).perseverated
)
print("prompt  ", habit[0].decision.prompt[0]["content"][-400:])
print("answer  ", habit[1].answer)
print("expert  ", task.expert(habit[0].decision))
print("verdict ", habit[1].verdict.outcome)

# %% [markdown]
# ## What this says, and what not
#
# * It speaks of these checkpoints. Another seed may end elsewhere; a study with several seeds speaks of the recipe.
# * This training was made to go wrong, by a high rate. The study `navigation-text` has one that is gentler, and PPO
#   beside it.
# * Any model can stand in place of these: a directory, a hub id, an adapter, an endpoint. [Is my checkpoint
#   memorising?](../checkpoints.md) tells how, and how to do the same in one line of a shell.
