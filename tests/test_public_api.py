"""The public names, and what importing them costs."""

import subprocess
import sys

import pytest

import shiftgym

PUBLIC = [
    "Answer",
    "Chat",
    "ChatFormat",
    "Collection",
    "Compared",
    "ConfigError",
    "Conversation",
    "DataError",
    "Decision",
    "Diagnosis",
    "EndpointSettings",
    "Episode",
    "Evaluation",
    "ExpertPolicy",
    "Interval",
    "LoraSettings",
    "Message",
    "Messages",
    "ModelPolicy",
    "OpenAIPolicy",
    "OptimizerSettings",
    "Picture",
    "Placement",
    "Policy",
    "PolicyGradient",
    "Problem",
    "Problems",
    "Recipe",
    "RolloutSettings",
    "Run",
    "SamplingSettings",
    "ScriptedPolicy",
    "Session",
    "ShiftgymError",
    "Study",
    "SupervisedSettings",
    "Task",
    "TrainingSettings",
    "TrainingStopped",
    "Transcript",
    "Verdict",
    "__version__",
    "assistant",
    "build_report",
    "build_task",
    "check_recipe",
    "check_task",
    "compare",
    "derive",
    "difference",
    "estimate",
    "evaluate",
    "load_policy",
    "load_recipe",
    "load_study",
    "load_task",
    "model_policy",
    "play",
    "resume_study",
    "rng",
    "run_study",
    "train",
    "user",
]

HEAVY = ("torch", "transformers", "numpy", "scipy", "matplotlib", "pyarrow")

HELP = """
import sys
sys.argv = ["shiftgym", "--help"]
from shiftgym.cli.main import main
try:
    main()
except SystemExit:
    pass
"""


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_public_names_are_these():
    assert sorted(shiftgym.__all__) == PUBLIC
    assert set(PUBLIC) <= set(dir(shiftgym))


def test_every_public_name_is_there():
    assert [name for name in PUBLIC if getattr(shiftgym, name) is None] == []


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        shiftgym.nothing  # noqa: B018


@pytest.mark.parametrize(
    "code",
    [
        "import shiftgym",
        "from shiftgym import play, build_task, check_task, ExpertPolicy, ConfigError",
        HELP,
    ],
)
def test_no_torch_is_loaded(code):
    loaded = run(f"{code}\nimport sys; print('modules:', *sorted(sys.modules))").split("modules:")[1].split()
    assert not {"torch", "transformers"} & set(loaded)
    if code == "import shiftgym":
        assert not set(HEAVY) & set(loaded)
