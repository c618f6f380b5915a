"""One episode of points as a picture: the cards, then one answer after the other with its verdict and feedback."""

from scripts.pictures.drawing import MONO_LETTER, NORMAL, SMALL, WIDTH, lines_of, picture, revealed, text

from shiftgym import Episode, load_study, play
from shiftgym.episodes import Attempt
from shiftgym.tasks.points.deck import FACES, Card
from shiftgym.tasks.points.task import HandDecision, PointsTask
from shiftgym.tasks.points.verifier import read

MODEL, STUDY, SPLIT, INDEX = "points-0", "points-text", "rule_ood", 0

SUITS = {"S": "♠", "C": "♣", "H": "♥", "D": "♦"}
SECONDS = 4.0
"""Between one attempt and the next."""
MARGIN = 16.0


def draw() -> str:
    """The picture. Needs about 10 seconds of one core."""
    task = load_study(STUDY).build_task()
    (episode,) = play(MODEL, task, [INDEX], split=SPLIT)
    return drawn(task, episode)


def drawn(task: PointsTask, episode: Episode) -> str:
    """The picture of an episode that was played."""
    hand = episode.problem
    decision = episode.decisions[0].decision
    attempts = episode.decisions[0].attempts
    whole = SECONDS * (len(attempts) + 2)
    trained = task.trained_rule
    parts = [
        text(MARGIN, 28, f"Make {hand.target} from these cards.", "bold"),
        text(MARGIN, 48, hand.rule.sentence, size=NORMAL),
        text(MARGIN, 66, f"In training: {trained.sentence}", "muted", SMALL) if trained else "",
        *(card for number, one in enumerate(hand.cards) for card in _card(one, MARGIN + 96 * number, 80)),
    ]
    style, y = "", 200.0
    for number, attempt in enumerate(attempts):
        style += revealed(f"a{number}", SECONDS * (number + 0.4), whole)
        style += revealed(f"v{number}", SECONDS * (number + 0.9), whole)
        rows, y = _attempt(task, decision, attempt, number, y)
        parts += rows
    rewards = " ".join(f"{reward:+g}" for reward in episode.decisions[0].rewards).replace("-", "−")
    ending = "Solved" if episode.success else "Not solved"
    parts.append(text(MARGIN, y + 12, f"{ending} in {len(attempts)} attempts, rewards {rewards}.", "bold"))
    origin = f"{MODEL} as it ships, sampled answers: hand {INDEX} of {SPLIT}"
    parts.append(text(MARGIN, y + 32, origin, "muted", SMALL))
    return picture(y + 46, "One episode of points", _description(episode), parts, style)


def _card(card: Card, x: float, y: float) -> list[str]:
    ink = "#b3261e" if card.suit in "HD" else "#1b1e23"
    return [
        f'<rect x="{x:g}" y="{y:g}" width="80" height="104" rx="7" fill="#fff" stroke="#8a929c"/>',
        f'<text x="{x + 10:g}" y="{y + 30:g}" font-size="24" font-weight="650" style="fill:{ink}">{card.rank}</text>',
        f'<text x="{x + 40:g}" y="{y + 82:g}" font-size="44" text-anchor="middle" style="fill:{ink}">'
        f"{SUITS[card.suit]}</text>",
    ]


def _attempt(
    task: PointsTask, decision: HandDecision, attempt: Attempt, number: int, y: float
) -> tuple[list[str], float]:
    """An attempt from `y` down, and where the next one begins."""
    fields = read(attempt.answer, "json")
    numbers = fields.get("number") or []
    told = [("number", " ".join(map(str, numbers)))]
    steps = str(fields.get("steps", "")).split(";")
    told += [("" if at else "steps", step.strip()) for at, step in enumerate(steps)]
    told.append(("formula", str(fields.get("formula", ""))))
    top, said = y, [text(MARGIN + 10, y + 16, f"Answer {number + 1}", "bold", SMALL)]
    y += 16
    for name, value in told:
        y += 17
        said.append(text(MARGIN + 10, y, name, "muted", SMALL))
        said.append(text(MARGIN + 66, y, value, "mono", SMALL))
        if name == "number" and (ranks := _as_trained(task, decision, attempt)):
            after = MARGIN + 66 + (len(value) + 2) * SMALL * MONO_LETTER
            said.append(text(after, y, f"{' and '.join(ranks)} as in training", "bad", SMALL))
    y += 12
    verdict = attempt.verdict
    kind = "good" if verdict.correct else "bad"
    reward = f"{verdict.reward:+g}".replace("-", "−")
    mark = "✓" if verdict.correct else "✗"
    heard = [text(MARGIN + 10, y + 16, f"{mark} {verdict.outcome}, {reward}", f"bold {kind}")]
    y += 16
    for line in lines_of(f"“{verdict.feedback}”", WIDTH - 2 * MARGIN - 20, SMALL):
        y += 16
        heard.append(text(MARGIN + 10, y, line, size=SMALL))
    y += 10
    box = f'<rect class="box" x="{MARGIN:g}" y="{top:g}" width="{WIDTH - 2 * MARGIN:g}" height="{y - top:g}" rx="7"/>'
    group = f'<g class="a{number}">{box}{"".join(said)}</g><g class="v{number}">{"".join(heard)}</g>'
    return [group], y + 14


def _as_trained(task: PointsTask, decision: HandDecision, attempt: Attempt) -> list[str]:
    """The face cards that an answer gives their value under the trained rule, where another is in force."""
    hand = decision.problem
    numbers = read(attempt.answer, "json").get("number")
    if not task.diagnose(decision, attempt.answer).perseverated or not isinstance(numbers, list):
        return []
    right = hand.rule.values(hand.ranks)
    pairs = zip(hand.ranks, right, numbers, strict=False)
    return [rank for rank, value, number in pairs if rank in FACES and number != value]


def _description(episode: Episode) -> str:
    """The same in words."""
    hand = episode.problem
    told = [
        f"Attempt {number}: {read(attempt.answer, 'json').get('formula')}, verdict {attempt.verdict.outcome}, "
        f"reward {attempt.verdict.reward:+g}, feedback: {attempt.verdict.feedback}"
        for number, attempt in enumerate(episode.decisions[0].attempts, 1)
    ]
    return f"Cards {', '.join(hand.ranks)}. {hand.rule.sentence} " + " ".join(told)
