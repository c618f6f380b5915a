"""What an answer's observation reports: whether there is an intersection, and which landmark is where.

The name of the landmark that is there is taken out first, so that no part of it is taken for a report: "Intersection
Bakery" is no intersection. What is left is read clause by clause.
"""

import re
from functools import lru_cache

from shiftgym.tasks.navigation.directions import SPATIAL
from shiftgym.tasks.navigation.route import Sight

MAX_OBSERVATION = 1000
"""Characters of an observation that are read."""

MARK = "\0"
"""Stands for the landmark's name."""

_WHERE = "|".join(sorted(SPATIAL, key=len, reverse=True))
_AT = rf"(?:is )?(?:(?:on|to) (?:your|the) |in )?(?P<where>{_WHERE})"
_SEEN = re.compile(rf"(?:the destination |(?:i|you|we) see )?{MARK} {_AT}(?: of (?:you|me)| you| me)?")
_OWN_WORDS = re.compile(
    r"(?:\W|\b(?:an?|am|are|at|behind|destination|facing|front|heading|here|i|in|intersection|is|it|landmark|left|no|none"
    r"|not|of|on|right|see|the|there|this|to|yes|you|your)\b)*"
)
"""Words of reports: a name of nothing else is only a name where a side follows it."""

_BLANKS = re.compile(rf"(?:[^\S\n]|{MARK})+")
_KEYED = re.compile(r"\b(intersection|landmark)s? ?[:=] ?(yes|true|no|none|false)(?= ?(?:[.,;!\n()]|$))")
_LABEL = re.compile(r"\blandmarks? ?[:=]")
_WITHOUT = re.compile(r"\bwithout (?:(?:an?|any) )?")
_SEPARATORS = re.compile(r"[.,;:!\n()]+|\b(?:and|but|with)\b")
_INTERSECTION = re.compile(r"\bintersection\b")
_NEGATION = re.compile(r"\b(?:no|non|not|never|neither|nor|none|cannot)\b|n['\u2019]t\b")
_STANDING = r"(?:(?:(?:you|i|we) )?(?:(?:are|am) (?:standing )?|see |observe |reach |reached |have reached |stand )"
_PRESENT = re.compile(
    rf"{_STANDING}|there is |this is )?(?:at |in |on )?(?:an |the |this |next |a )*intersection"
    r"(?: (?:here|ahead|nearby|is here))?"
)
_NOTHING = re.compile(
    rf"{_STANDING}|there is )?(?:no|not at an?|not an?) (?:intersection|landmarks?)"
    r"(?: or (?:intersection|landmarks?))?(?: (?:here|ahead|nearby|in sight))?"
)
_HEADING = re.compile(r"(?:(?:you|i) (?:are|am) )?(?:facing|heading) [a-z]+")


def reports_intersection(observation: str, landmark: Sight | None) -> bool:
    """Whether a clause of the observation speaks of an intersection, and no negation stands before it there."""
    if "intersection" not in observation and "intersection" not in observation.lower():
        return False
    for clause in _clauses(observation, landmark):
        found = _INTERSECTION.search(clause)
        if found and not _NEGATION.search(clause, 0, found.start()):
            return True
    return False


def reports_landmark(observation: str, landmark: Sight | None) -> bool:
    """Whether the observation names the landmark that is there and its side, or none if there is none."""
    left = [
        clause
        for clause in _clauses(observation, landmark)
        if clause and not any(known.fullmatch(clause) for known in (_PRESENT, _NOTHING, _HEADING))
    ]
    if landmark is None:
        return not left
    match = _SEEN.fullmatch(left[0]) if len(left) == 1 else None
    return match is not None and match["where"] == landmark.where


def _clauses(observation: str, landmark: Sight | None) -> list[str]:
    """The observation in small letters, cut into clauses, with `MARK` for the name of the landmark that is there."""
    text = _BLANKS.sub(" ", observation[:MAX_OBSERVATION].lower())
    if landmark is not None:
        name, times = _name(landmark.name)
        text = name.sub(MARK, text, times)
    text = _KEYED.sub(lambda found: found[1] if found[2] in ("yes", "true") else f"no {found[1]}", text)
    text = _WITHOUT.sub(", no ", _LABEL.sub(" ", text))
    return [" ".join(clause.split()) for clause in _SEPARATORS.split(text)]


@lru_cache(maxsize=4096)
def _name(name: str) -> tuple[re.Pattern[str], int]:
    """Where a name stands, as whole words, and how many times at most it is one (0: always)."""
    words = " ".join(name.lower().split())
    like_a_report = _OWN_WORDS.fullmatch(words) is not None
    followed = rf"(?= {_AT}\b)" if like_a_report else r"(?!\w)"
    return re.compile(rf"(?<!\w){re.escape(words)}{followed}"), int(like_a_report)
