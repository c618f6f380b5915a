"""Which object of a text is the answer, and which slips are forgiven."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftgym.tasks.answer import read_fields, read_object, write_fields
from shiftgym.tasks.points.rules import Rule
from shiftgym.tasks.points.verifier import Table, judge

TEN = Rule(10, 10, 10)
EASY = Table(("8", "3", "A"), TEN, 24)
RIGHT = '{"cards": ["8", "3", "A"], "number": [8, 3, 1], "formula": "8*3*1"}'
WRONG = '{"formula": "8+3+1"}'


@pytest.mark.parametrize(
    "text",
    [
        '{"cards": ["8", "3", "A"], "number": [8, 3, 1], "formula": "8*3*1=24"}',
        '{"formula": "8*3*1"}',
        '```json\n{"cards": ["8", "3", "A"], "formula": "8*3*1"}\n```',
        '```\n{\n  "formula": "8*3*1",\n}\n```',
        'Let me see. The answer is {"formula": "8*3*1"}, as you can see.',
        "{'cards': ['8', '3', 'A'], 'number': [8, 3, 1], 'formula': '8*3*1=24',}",
        "{'cards': [8, 3, A], 'formula': '8*3*1',}",
        '{"cards": [8, 3, "A",], "formula": "8*3*1"}',
        'a set {8, 3} and then {"formula": "8*3*1"}',
        '{"steps": "3*8=24 left 1 24; 24*1=24", "formula": "8*3*1"}',
        '{"cards": "not judged in text", "number": "nor this", "formula": "8*3*1"}',
        '{"formula": "8\\u00d73*1"}',
        '{"formula": "8\\u00d73*1",}',
        '{"formula":\u00a0"8*3*1"}',
    ],
)
def test_read_and_judged_correct(text):
    assert judge(text, EASY).outcome == "correct"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8*3*1",
        "formula: 8*3*1",
        '"formula": "8*3*1"',
        '{"formula": "8*3*1"',
        '["8*3*1"]',
        '{"formula" "8*3*1"}',
        '{"Formula": "8*3*1"}',
        '{"formula": 8*3*1}',
        '{"formula": {"formula": "8*3*1"}}',
        "{\"note\": \"{'formula': '8*3*1'}\"}",
        "[\"{'formula': '8*3*1'}\"]",
        "{\"a\": [[\"{'formula': '8*3*1'}\"]]}",
        '"{\\"formula\\": \\"8*3*1\\"}"',
        '{"formula": "..."}',
        '{"formula": null}',
    ],
)
def test_not_an_answer(text):
    assert judge(text, EASY).outcome == "illegal"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (f"{RIGHT} {WRONG}", "wrong_value"),
        (f"{WRONG} {RIGHT}", "correct"),
        (f"{WRONG}{RIGHT}", "correct"),
        (f"[{WRONG}, {RIGHT}]", "correct"),
        (f"{{}} {RIGHT} {{}}", "correct"),
        (f'{RIGHT} {{"cards": ["8"]}}', "correct"),
        (f'{RIGHT} {{"formula": "8+3', "correct"),
        (f'{RIGHT} {{"formula": "8+3+1"', "correct"),
        (f'{RIGHT} {{"formula": null}}', "illegal"),
        (f'{RIGHT} {{"formula": 24}}', "illegal"),
        (f'{RIGHT} {{"formula": ["8*3*1"]}}', "illegal"),
        (f'{RIGHT} {{"formula": true}}', "illegal"),
        (f'{RIGHT} {{"formula": ""}}', "illegal"),
        (f'{RIGHT} as in {{"cards": [...], "formula": "..."}}', "correct"),
        (f'{RIGHT} as in {{"cards": [\u2026], "formula": "\u2026"}}', "correct"),
        (f'{RIGHT} as in {{"formula": ...}}', "correct"),
        (f'{RIGHT} as in {{"formula": " ... "}}', "correct"),
        (f'{RIGHT} as in {{"formula": "...."}}', "illegal"),
        (f'{RIGHT} as in {{"formula": "...", "next": {WRONG}}}', "correct"),
        (f'{{"answer": {RIGHT}}}', "correct"),
        (f'{{"answers": [{WRONG}, {{"best": {RIGHT}}}]}}', "correct"),
        (f'{{"best": {RIGHT}, "other": {WRONG}}}', "wrong_value"),
        (f'{{"formula": "8*3*1", "other": {WRONG}}}', "correct"),
        (f'{{"other": {WRONG}, "formula": "8*3*1"}}', "correct"),
        (f'{{"answer": {RIGHT}', "correct"),
        ('{"steps": "try {\'formula\': \'8+3+1\'}", "formula": "8*3*1"}', "correct"),
        (f"[{RIGHT}, \"or {{'formula': '8+3+1'}}\"]", "correct"),
        ('{"formula": "8+3+1", "formula": "8*3*1"}', "correct"),
        (f'She said {{" and then {RIGHT}', "correct"),
        (f'{{"steps": "5 " is", {RIGHT}', "correct"),
        (f"\\boxed{{{RIGHT}}}", "correct"),
        (f"<think>{WRONG}</think>{RIGHT}", "correct"),
        (f"{RIGHT}<think>{WRONG}", "correct"),
        (f"{RIGHT}</think>", "illegal"),
        (f"<think>{RIGHT}", "illegal"),
        ('{"steps": "</think>", "formula": "8*3*1"}', "illegal"),
        ('{"steps": "<think>", "formula": "8*3*1"}', "illegal"),
        (f'{{"steps": "</think>", "answer": {RIGHT}}}', "correct"),
        (f"[THINK]{WRONG}[/THINK] [{RIGHT}]", "correct"),
        (f"{{a: {{b: {{c: {{d: {{e: {RIGHT}}}}}}}}}}}", "correct"),
        (f"{'[' * 40}{RIGHT}{']' * 40}", "correct"),
    ],
)
def test_the_last_complete_object_with_the_field_is_the_answer(text, outcome):
    assert judge(text, EASY).outcome == outcome


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ('{"formula": "8*3*1", "meta": {"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}}', "correct"),
        (f'{{"meta": {{"a":{{"b":{{"c":{{"d":{{"e":{{"f":{WRONG}}}}}}}}}}}}}, "formula": "8*3*1"}}', "correct"),
        (f'{{"formula": "8+3+1", "meta": {{"a":{{"b":{{"c":{{"d":{{"e":{{"f":{RIGHT}}}}}}}}}}}}}}}', "wrong_value"),
        (f'{{"a":{{"b":{{"c":{{"d":{{"e":{{"f":{RIGHT}}}}}}}}}}}}}', "correct"),
        (f'{{"a":{{"b":{{"c":{{"d":{{"e":{{"f":[{RIGHT},{WRONG}]}}}}}}}}}}}}', "wrong_value"),
        (
            f'{RIGHT} {{"meta": {{"a":{{"b":{{"c":{{"d":{{"e":{{"f":{RIGHT}}}}}}}}}}}}}, "formula": "8+3+1"}}',
            "wrong_value",
        ),
        (f'{RIGHT} {{"formula": null, "m": {{"a":{{"b":{{"c":{{"d":{{"e":{{"f":{RIGHT}}}}}}}}}}}}}}}', "illegal"),
        (f'{RIGHT} {{"formula": "...", "m": {{"a":{{"b":{{"c":{{"d":{{"e":{{"f":{WRONG}}}}}}}}}}}}}}}', "correct"),
        (f'[[[[[[[{{"formula": "8+3+1", "x": [[[[[[[{RIGHT}]]]]]]]}}]]]]]]]', "wrong_value"),
        ('{"\\u0066ormula": "8*3*1"}', "correct"),
        ("{'\\u0066ormula': '8*3*1',}", "correct"),
        ('{"formul\\u0061": "8*3*1"}', "correct"),
        (f'{RIGHT} {{"\\u0066ormula": "8+3+1"}}', "wrong_value"),
        (f'{RIGHT} {{"f\\u006Frmula": "8+3+1"}}', "wrong_value"),
        (f'{RIGHT} {{"\\u0066ormula": "\\u2026"}}', "correct"),
        (f'{RIGHT} {{"formula": "\\u002e.."}}', "correct"),
        (f'{RIGHT} {{"\\\\u0066ormula": "8+3+1"}}', "correct"),
        (f"{RIGHT} and text {{after", "correct"),
        (f'{RIGHT} {{"cards": ["K"]}}', "correct"),
        (f"{RIGHT}{WRONG}", "wrong_value"),
        (f"{WRONG}{RIGHT}", "correct"),
        (f'{{"formula": "8*3*1", "x": {WRONG}}}', "correct"),
        (f'{{"x": {WRONG}, "formula": "8*3*1"}}', "correct"),
        (f"[{RIGHT}, {WRONG}]", "wrong_value"),
        (f"[[{WRONG}], [{RIGHT}]]", "correct"),
        (f'[{WRONG}, [1, {{"a": {RIGHT}}}], "x"]', "correct"),
        ('{"s": "{\\"formula\\": \\"8+3+1\\"}", "formula": "8*3*1"}', "correct"),
        ('{"s": "{\\"formula\\": \\"8*3*1\\"}"}', "illegal"),
        (f"it's {{ and don't\n```json\n{RIGHT}\n```\nisn't it", "correct"),
        (f"it's {{'. Don't\n```json\n{RIGHT}\n```\nisn't it '}}", "correct"),
        (f"a set {{'x' and don't}} {RIGHT} that's it", "correct"),
        (f'He said "{RIGHT}"', "correct"),
        (f'"{RIGHT}', "correct"),
        (f"'{RIGHT}'", "correct"),
        (f'say \\"{RIGHT}\\"', "correct"),
        ('{\\"formula\\": \\"8*3*1\\"}', "illegal"),
        ('{"steps": "say \\"x\\" {", "formula": "8*3*1"}', "correct"),
        (f'{RIGHT} {{"formula": "<formula>"}}', "illegal"),
        (f'{RIGHT} {{"formula": "<your formula>"}}', "illegal"),
        (f'{RIGHT} {{"formula": "…"}}', "correct"),
        (f'{RIGHT} {{"formula": " … "}}', "correct"),
        (f'{RIGHT} {{"formula": "...."}}', "illegal"),
        (f'{RIGHT} {{"formula": "8*3*1..."}}', "illegal"),
        (f'{RIGHT} {{"formula": {{}}}}', "illegal"),
        (f'{RIGHT} {{"formula": []}}', "illegal"),
        (f'{RIGHT} {{"formula": ["..."]}}', "illegal"),
        (f'{RIGHT} {{"formula": " "}}', "illegal"),
        (f'{RIGHT} {{"formula": 1.5}}', "illegal"),
        (f'{RIGHT} {{"formula": false}}', "illegal"),
        ('{"formula": "8+3+1", "formula": "8*3*1"}', "correct"),
        ('{"formula": "8*3*1", "formula": "8+3+1"}', "wrong_value"),
        ('{"formula": "8*3*1", "formula": null}', "illegal"),
        (f'{RIGHT} {{"formula": "8+3+1", "formula": "..."}}', "correct"),
        (f'{RIGHT} {{"cards": [], "formula": "8+', "correct"),
        (f'{{"cards": [{{"a": 1, {RIGHT}', "correct"),
        (f"<think>a</think>b<think>{WRONG}</think>{RIGHT}", "correct"),
        (f"<think><think>{WRONG}</think>{WRONG}</think>{RIGHT}", "correct"),
        (f"{WRONG}</think>{RIGHT}", "correct"),
        (f"{RIGHT}<think>more {WRONG}", "correct"),
        (f"{RIGHT}<think>more</think>", "illegal"),
        (f"{RIGHT} so I closed </think> above", "illegal"),
        (f"<THINK>{WRONG}</THINK>{RIGHT}", "correct"),
        (f"<think mode='x'>{WRONG}</think>{RIGHT}", "correct"),
        (f'<thinking type="deep">{RIGHT}', "illegal"),
        (f'{RIGHT}<thinking type="deep">{WRONG}', "correct"),
        (f"<b>{RIGHT}</b>", "correct"),
        (f"{WRONG}<b>{RIGHT}", "correct"),
        (f"<answer>{RIGHT}</answer>", "correct"),
        (f"<reasoning>{WRONG}</reasoning>{RIGHT}", "correct"),
        (f"{RIGHT}<reasoning>{WRONG}", "correct"),
        (f"{RIGHT}<thought_process>{WRONG}", "correct"),
        (f"{RIGHT}<inner_monologue>{WRONG}", "correct"),
        (f"<thought_process>{RIGHT}</thought_process>", "illegal"),
        (f"{RIGHT}<rationale>{WRONG}", "correct"),
        (f"{RIGHT}</rationale>", "illegal"),
        (f"{RIGHT}<reasoning_content>{WRONG}", "correct"),
        (f"{RIGHT}<antThinking>{WRONG}", "correct"),
        (f"{RIGHT}<no_think>", "correct"),
        (f'{RIGHT}{{"Formula": "8+3+1"}}', "correct"),
        (
            f"<|channel|>analysis<|message|>{WRONG}<|end|><|start|>assistant<|channel|>final<|message|>{RIGHT}",
            "correct",
        ),
        (f"<|channel|>final<|message|>{RIGHT}", "correct"),
        (f"<|channel|>analysis<|message|>{RIGHT}", "illegal"),
        (f'{RIGHT} {{"s": "</think>"}}', "illegal"),
        (f'{{"s": "</think>", "x": 1}} {RIGHT}', "correct"),
        (f"\\frac{{8}}{{3}} \\text{{so}} {RIGHT}", "correct"),
        (f"def f(x): return {{x: [y for y in x]}}\n{RIGHT}", "correct"),
        ('{formula: "8*3*1"}', "correct"),
        ("{formula: '8*3*1'}", "correct"),
        (f"{RIGHT} {{formula: null}}", "illegal"),
        ("[{formula: '8*3*1'}]", "correct"),
        ("{}{ formula : '8*3*1' }", "correct"),
        ('[x, {formula: "8*3*1"}]', "correct"),
        ('[[], {formula: "8*3*1"}]', "correct"),
        ('[{}, {formula: "8*3*1"}]', "correct"),
        ('{"it\'s": 1, "formula": "8*3*1"}', "correct"),
        (f"{{a: [1, [2, [3, {{b: 1}}, {RIGHT}", "correct"),
        (f'["x" {RIGHT}', "correct"),
        (f'{{"a" {RIGHT}', "correct"),
        (f"[1, [2 {{' {RIGHT}", "correct"),
    ],
)
def test_the_letter_of_the_rule(text, outcome):
    """The outcomes were written down from the rule before any program was run."""
    assert judge(text, EASY).outcome == outcome


@pytest.mark.parametrize(
    "before",
    [
        " " * 40_000,
        "8+3=11, hm. " * 4000,
        "{8, 3} " * 5000,
        '{"a": 1} ' * 5000,
        '{"cards": ["8", ' * 3000,
        '{"formula": "8+3+1" ' * 2000,
        "it's {" * 7000,
        '{"a": "' + "b" * 30_000 + " ",
        "<think>" + "{" * 30_000 + "</think>",
    ],
)
def test_ordinary_length_hides_nothing(before):
    assert judge(before + RIGHT, EASY).outcome == "correct"


def test_beyond_the_budget_the_answer_is_still_found(soon):
    for unit in (":{'", "[['", "'['[", '{"a":{"\'', "[[1],'['[{", "[1,'[',1,'"):
        text = (unit * 60_000)[:60_000] + " " + RIGHT
        assert soon(lambda text=text: judge(text, EASY)), unit
    assert judge("[1,a" * 25_000 + RIGHT, EASY).outcome == "correct"


def test_its_own_fields_only():
    found = read_object('{"cards": ["K"], "steps": "x", "formula": "10"} {"formula": "8*3*1"}', "formula")
    assert found == {"formula": "8*3*1"}
    seen = Table(("8", "3", "A"), TEN, 24, vision=True)
    assert judge(RIGHT, seen).outcome == "correct"
    assert judge(f'{RIGHT} {{"formula": "8*3*1"}}', seen).outcome == "wrong_vision"


def test_what_a_person_would_read_is_read():
    assert read_object("nothing here", "a") is None
    assert read_object("{a: [1, 'two', three], 'b': \"it's\"}", "a") == {"a": [1, "two", "three"], "b": "it's"}
    assert read_object("{'a': True, b: None, c: -1.5e2, 1: 007, e: false}", "a") == {
        "a": True, "b": None, "c": -150.0, "1": 7, "e": False,
    }  # fmt: skip
    assert read_object(r"{'a': 'x\n\u00d7\xd7\'\\', }", "a") == {"a": "x\n\u00d7\u00d7'\\"}
    assert read_object("{'a': %s}" % ("9" * 6000), "a") == {"a": float("inf")}
    assert read_object('{"b": ' * 100 + '{"a": 1}' + "}" * 100, "a") == {"a": 1}
    assert read_object('{"b": ' * 5000 + '{"a": 1}' + "}" * 5000, "a") is None, "more than Python can read"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=3,
)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.text(max_size=5), st.lists(values, max_size=2) | values, max_size=4), st.booleans())
def test_every_json_object_is_read_as_json_has_it(fields, ascii_only):
    fields["a"] = 1
    text = json.dumps(fields, ensure_ascii=ascii_only)
    assert read_object(text, "a") == json.loads(text)


def test_the_reader_agrees_with_another_that_goes_by_the_letter(independent_reader, texts):
    for field in ("formula", "action"):
        found = 0
        for text in texts(field, ["8*3", "stop()", "8\u00d73"], random.Random(0), 3000):
            expected = independent_reader(text, field)
            assert read_object(text, field) == expected, text
            found += expected is not None
        assert found > 500


def test_hard_texts_are_read_soon(long_texts, soon):
    for form in ("json", "lines"):
        answer = write_fields({"formula": "8*3*1"}, form)
        for text in long_texts("formula", answer, random.Random(1), 60):
            assert soon(lambda text=text, form=form: read_fields(text, "formula", form)), text[:50]


LINES = Table(("8", "3", "A"), TEN, 24, vision=True, form="lines")
BLOCK = "cards: 8 3 A\nnumber: 8 3 1\nsteps: 8*3=24\nformula: 8*3*1"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (BLOCK, "correct"),
        (BLOCK.replace("\n", "\r\n"), "correct"),
        (BLOCK.replace("\n", "\n\n"), "correct"),
        (BLOCK.replace("24\n", "24\nthen 24*1 = 24\n"), "correct"),
        (f"formula: 8+3+1\n\n{BLOCK}", "correct"),
        (f"{BLOCK.replace('8*3*1', '8+3+1')}\n{BLOCK}", "correct"),
        (f"{BLOCK}\n{BLOCK.replace('8*3*1', '8+3+1')}", "wrong_value"),
        (f"{BLOCK}\n\nformula: 8*3*1", "wrong_vision"),
        (f"{BLOCK}\n\ncards: 8 3 A", "correct"),
        (f"{BLOCK}\ncards: ...\nnumber: ...\nsteps: ...\nformula: ...", "correct"),
        (f"cards: ...\nnumber: ...\nsteps: ...\nformula: ...\n{BLOCK}", "correct"),
        (f"<think>\n{BLOCK}\n</think>\n{BLOCK.replace('8*3*1', '8*3')}", "wrong_numbers"),
        (f"<think>\n{BLOCK}", "wrong_vision"),
        (RIGHT, "wrong_vision"),
    ],
)
def test_as_lines_the_last_block_with_the_field_is_the_answer(text, outcome):
    assert judge(text, LINES).outcome == outcome
