# %% [markdown]
# # First look
#
# What is a task, what is asked, how is an answer judged, and what happens after a wrong one? This notebook plays one
# hand of cards with a small model that comes with shiftgym. It takes a few seconds and needs no GPU.
#
# ## A task has splits
#
# A study names a task and its splits. A split is a population of problems under one setting. Here `rule_ood` differs
# from `id` in the rule that says what J, Q and K count as, and it deals only hands with at least one of them.

# %%
from shiftgym import evaluate, load_study, play

task = load_study("points-text").build_task()
for name in ("train", "id", "rule_ood"):
    setting = task.splits[name]
    print(f"{name:10}{setting.rule:20}hands: {setting.hands}")

# %% [markdown]
# ## A problem
#
# A problem is named by its split and a number. The same name gives the same problem on every machine. Its decision
# has the prompt that a model reads.

# %%
problem = task.problem("rule_ood", 0)
decision = task.start(problem)
print(decision.prompt[0]["content"])

# %% [markdown]
# Hands also exist as pictures, for models that see. Here is the picture of a problem of the study `points-vision`.

# %% Four playing cards
seen = load_study("points-vision").build_task()
seen.start(seen.problem("id", 0)).prompt[0]["pictures"][0].draw()

# %% [markdown]
# ## The verifier
#
# The verifier reads an answer, names what is wrong, and pays a reward. It reads the formula itself, and never runs it
# as code. The expert knows a right answer to every problem.

# %%
right = task.expert(decision)
for answer in ("I do not know.", '{"formula": "6*4"}', right):
    verdict = decision.judge(answer)
    print(answer, f"-> {verdict.outcome}, reward {verdict.reward:+.0f}: {verdict.feedback}", "", sep="\n")

# %% [markdown]
# ## Sequential revision
#
# Now the model `points-0` answers. After a wrong answer it is asked again: it then sees the prompt, all of its
# earlier answers, and what the verifier said of each. It has five attempts. All of them together are an *episode*.

# %%
(episode,) = play("points-0", task, [problem])
attempts = episode.decisions[0].attempts
for number, attempt in enumerate(attempts, 1):
    print(f"{number}. {attempt.verdict.outcome} ({attempt.verdict.reward:+.0f})", attempt.answer, sep="\n")
print("solved" if episode.success else "not solved", f"with a reward of {episode.reward:+.0f} in all")

# %% [markdown]
# Look at `number` in each answer: there the model says what it takes the cards for. The prompt says that J, Q and K
# count as 11, 12 and 13. Where it writes 10, it follows a habit and not the prompt.
#
# The same episode as a picture: a bar for each attempt, as long as its reward, with its formula.

# %% The rewards of the attempts of one episode, each beside its formula
from json import loads

from matplotlib import pyplot as plt

rewards = [attempt.verdict.reward for attempt in attempts]
rows = [f"{number}. {loads(attempt.answer)['formula']}" for number, attempt in enumerate(attempts, 1)]
axes = plt.figure(figsize=(7, 0.6 + 0.4 * len(rows)), layout="constrained").add_subplot()
bars = axes.barh(rows, rewards, color=["tab:blue" if reward > 0 else "tab:red" for reward in rewards])
axes.bar_label(bars, [f" {attempt.verdict.outcome} " for attempt in attempts])
axes.set(xlabel="reward", xlim=(-6, 8))
axes.invert_yaxis()

# %% [markdown]
# ## Many episodes
#
# One hand says nothing about a model. `evaluate` plays the same problems with every model that you give it, and tells
# the share that it solved with one attempt and with all five, in percent, with 95 % intervals.

# %%
found = evaluate("points-0", task, splits=["id", "rule_ood"], problems=24, decodings=["sampled"])
found

# %% [markdown]
# With 24 problems the intervals are wide: the two splits need not differ. More problems make them narrower. What
# matters is how these numbers change when the model is trained, and that is the next notebook: [Is it
# memorising?](memorising.md)
