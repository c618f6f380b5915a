"""Which generators of reasoning-gym 0.1.25 are taken, and why the others are not. Every scorer there was read.

A generator is proved where `shiftgym check` holds for its own configuration beside a shifted one, where its questions
follow from their seed alone on every machine, where its own answers are right, and where its scorer, or a rule of ours,
gives 1 to right answers only, in bounded time, without evaluating any part of an answer or of a record.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Proved:
    """A generator that is taken."""

    shift: Mapping[str, Any]
    """A configuration that is harder, or only different: one shift of many that can be made."""
    reads: frozenset[str] = frozenset()
    """What the judge reads of an item's metadata."""
    known: str | None = None
    """The metadata that holds a right answer, where the item itself has none."""
    base: Mapping[str, Any] = field(default_factory=dict)
    """Settings with which it is proved, where its own defaults leave too few different questions."""

    def answer(self, item: Mapping[str, Any]) -> str:
        """The item's own answer as text."""
        return str(item["answer"]).strip() if self.known is None else json.dumps(item["metadata"][self.known])


PROVED: dict[str, Proved] = {
    "aiw": Proved({"max_entities": 12}),
    "arc_1d": Proved({"min_size": 31, "max_size": 40}),
    "base_conversion": Proved({"min_value": 1001, "max_value": 10000}),
    "binary_alternation": Proved({"min_n": 31, "max_n": 50}),
    "caesar_cipher": Proved({"min_words": 21, "max_words": 30}),
    "chain_sum": Proved({"min_terms": 7, "max_terms": 8}),
    "circuit_logic": Proved({"min_terms": 6, "max_terms": 8}),
    "color_cube_rotation": Proved({"min_rotations": 4, "max_rotations": 6}),
    "count_bits": Proved({"min_n": 2**31, "max_n": 2**40}),
    "count_primes": Proved({"min_n": 10001, "max_n": 20000}),
    "countdown": Proved({"min_numbers": 3, "max_numbers": 3, "min_target": 1}, reads=frozenset({"numbers", "target"})),
    "course_schedule": Proved({"min_num_courses": 11, "max_num_courses": 15}),
    "cryptarithm": Proved(
        {"allow_leading_zero": True}, reads=frozenset({"words_letters", "result_letters", "allow_leading_zero"})
    ),
    "decimal_chain_sum": Proved({"min_terms": 7, "max_terms": 8}),
    "dice": Proved({"num_dice": 6}),
    "family_relationships": Proved({"min_family_size": 9, "max_family_size": 12}),
    "fraction_simplification": Proved(
        {"min_factor": 101, "max_factor": 200},
        reads=frozenset({"simplified_numerator", "simplified_denominator"}),
    ),
    "gcd": Proved({"min_numbers": 3, "max_numbers": 4}),
    "graph_color": Proved(
        {"min_num_vertices": 12, "max_num_vertices": 14}, reads=frozenset({"puzzle"}), known="possible_answer"
    ),
    "group_anagrams": Proved({"min_anagram_groups": 11, "max_anagram_groups": 14}, reads=frozenset({"solution"})),
    "kakurasu": Proved({"min_rows": 6, "max_rows": 6}, reads=frozenset({"row_sums", "col_sums"})),
    "knights_knaves": Proved({"n_people": 3}, reads=frozenset({"names", "solution", "knight_knave_terms"})),
    "largest_island": Proved({"min_rows": 11, "max_rows": 14}),
    "lcm": Proved({"min_numbers": 3, "max_numbers": 3}),
    "leg_counting": Proved({"min_animals": 11, "max_animals": 15}),
    "letter_counting": Proved({"min_words": 16, "max_words": 25}),
    "mahjong_puzzle": Proved({"min_num_rounds": 51, "max_num_rounds": 70}),
    "manipulate_matrix": Proved({"min_transforms": 11, "max_transforms": 14}),
    "maze": Proved({"min_grid_size": 11, "max_grid_size": 13}),
    "mini_sudoku": Proved({"min_empty": 4, "max_empty": 7}, reads=frozenset({"solution"})),
    "needle_haystack": Proved({"min_num_statements": 101, "max_num_statements": 150}),
    "number_filtering": Proved({"min_numbers": 11, "max_numbers": 15}),
    "number_sequence": Proved({"min_terms": 4, "max_terms": 4}),
    "palindrome_generation": Proved({"min_length": 11, "max_length": 14}, reads=frozenset({"letters"})),
    "path_star": Proved({"degree": 5}),
    "power_function": Proved({"min_exponent": 9, "max_exponent": 12}),
    "prime_factorization": Proved({"min_value": 1001, "max_value": 9999}),
    "products": Proved({"min_terms": 3, "max_terms": 3}),
    "rotate_matrix": Proved({"min_n": 11, "max_n": 13}),
    "rotten_oranges": Proved({"min_n": 31, "max_n": 34}),
    "self_reference": Proved({"difficulty": 7}),
    "sentence_reordering": Proved({"min_words_in_sentence": 21, "max_words_in_sentence": 40}),
    "shortest_path": Proved({"min_rows": 9, "max_rows": 11}, reads=frozenset({"matrix"})),
    "simple_equations": Proved({"min_terms": 5, "max_terms": 6}),
    "simple_geometry": Proved({"min_sides": 7, "max_sides": 9}),
    "spell_backward": Proved({"min_word_len": 9, "max_word_len": 10}),
    "string_manipulation": Proved({"min_string_length": 21, "max_string_length": 30}),
    "string_splitting": Proved(
        {"min_initial_machines": 31, "max_initial_machines": 60}, base={"max_initial_machines": 30}
    ),
    "string_synthesis": Proved({"min_initial_blocks": 31, "max_initial_blocks": 60}, base={"max_initial_blocks": 30}),
    "sudoku": Proved({"min_empty": 20, "max_empty": 29}, reads=frozenset({"solution"})),
    "tower_of_hanoi": Proved(
        {"min_disks": 5, "max_disks": 6},
        reads=frozenset({"num_disks", "num_pegs", "start_peg", "target_peg", "solution_length"}),
        base={"max_disks": 4, "max_pegs": 12},
    ),
    "tsumego": Proved({"min_board_size": 14, "max_board_size": 16}),
    "word_sequence_reversal": Proved({"min_words": 9, "max_words": 14}),
    "word_sorting": Proved({"min_words": 11, "max_words": 15}, reads=frozenset({"sorted_words"})),
}
"""Generator -> how it is taken."""

_EVALUATES = "its scorer evaluates the answer as code"
_FIXED = "its items are numbered, and there is no item for a seed"
_HASHES = "its questions depend on the seed of Python's hashes"
_NO_ANSWER = "its items have no answer that an expert could give"
_SIGNS = "its questions differ in signs only, so there are no words to tell training from test questions"
_SLOW = "making one item takes a tenth of a second, or seconds under other configurations"

EXCLUDED: dict[str, str] = {
    "ab": _SIGNS,
    "acre": _FIXED,
    "advanced_geometry": "what its scorer reads differs from question to question, and a rounded radius is half right",
    "arc_agi": "its own answers get no full score from a record of the item",
    "basic_arithmetic": "its own answers drop the fraction of a quotient: -9 / 341 is -1 there",
    "bf": _SIGNS,
    "binary_matrix": _EVALUATES,
    "bitwise_arithmetic": "its scorer evaluates a part of the item's record as code",
    "boxnet": _NO_ANSWER,
    "calendar_arithmetic": "some of its questions name the wrong year for a date: from December 2022 to February 2022",
    "codeio": "it runs program texts, and its questions depend on what was asked before",
    "coin_flip": "it takes any answer within 0.0001, so 0 is right for rare events, and 1e999999999 takes no end",
    "complex_arithmetic": "its scorer gives a full score for nan",
    "composite": "it mixes other generators; name one of them",
    "decimal_arithmetic": "how far an answer may be off depends on the configuration, not on the question",
    "emoji_mystery": _SIGNS,
    "figlet_font": _SIGNS,
    "futoshiki": _SLOW,
    "game_of_life": _SIGNS,
    "game_of_life_halting": "its scorer takes any text for True",
    "gsm_symbolic": _FIXED,
    "intermediate_integration": _EVALUATES,
    "isomorphic_strings": _HASHES,
    "jugs": _SLOW,
    "knight_swap": _HASHES,
    "letter_jumble": "its scorer gives a full score to an answer with words behind it",
    "list_functions": _FIXED,
    "modulo_grid": _SIGNS,
    "n_queens": _EVALUATES,
    "number_format": "its scorer takes any number within 0.01, and a configuration can put the candidates closer",
    "number_sorting": "its scorer takes numbers that are off by 1",
    "palindrome_partitioning": "its answers list every partition, thousands of characters long",
    "polynomial_equations": "its scorer takes any unreadable text where there is no solution",
    "polynomial_multiplication": _EVALUATES,
    "pool_matrix": "it seeds the global generator of numpy",
    "propositional_logic": _NO_ANSWER,
    "puzzle24": "its scorer evaluates the answer as code and never looks at the cards; task points asks the same",
    "quantum_lock": _SLOW,
    "ransom_note": _HASHES,
    "rearc": "its own answers get no full score from a record of the item",
    "rectangle_count": _SIGNS,
    "rubiks_cube": _NO_ANSWER,
    "rush_hour": _NO_ANSWER,
    "simple_integration": _EVALUATES,
    "sokoban": _SIGNS,
    "spiral_matrix": _EVALUATES,
    "string_insertion": _EVALUATES,
    "survo": "several completions may be right, and its scorer takes one",
    "syllogism": "some of its own answers call what does not follow valid",
    "time_intervals": "its own answers drop hours between named weekdays, and its scorer takes 12 weeks for 12 days",
    "word_ladder": _FIXED,
    "zebra_puzzles": _SLOW,
}
"""Generator -> why it is not taken."""
