"""The server of OpenEnv judges every text as the table says, for many sessions at a time, and its validator passes."""

import json
import runpy
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("openenv")

import requests
import uvicorn
from openenv.cli._validation import validate_running_environment
from openenv.core import GenericEnvClient
from openenv.validation import Level, run_validation
from openenv.validation.types import CheckStatus, ProviderCapability
from tests.integrations.parity import STUDIES, Judged, cases, overrides, problems

from shiftgym.integrations import openenv
from shiftgym.integrations.openenv import COUNT, ShiftEnvironment, create_app, main

INTERRUPTED = 130
PACKAGE = Path(__file__).parents[2] / "examples" / "integrations" / "openenv_points"
RUNTIME_CHECKS = ("startup", "reward_well_formed", "observation_schema", "state_contract")
"""Those of the runtime level that OpenEnv 0.10 has and that need no container."""

pytestmark = pytest.mark.filterwarnings("default")  # of what the server stands on


@contextmanager
def served(app):
    """The address of a server in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def points():
    with served(create_app("points-text", overrides=overrides("points-text"), count=50)) as url:
        yield url


def client(url):
    return GenericEnvClient(base_url=url).sync()


def play(env, case):
    """What is said of each answer of a case."""
    result = env.reset(split=case.split, index=case.index)
    assert result.reward is None and not result.done
    told = []
    for text in case.answers:
        result = env.step({"text": text})
        seen = result.observation
        told.append(Judged(seen["outcome"], result.reward, seen["feedback"]))
        assert result.done == (len(told) == len(case.answers))
    assert seen["success"] == case.success
    return tuple(told)


@pytest.mark.parametrize("study", STUDIES)
def test_the_table_is_judged_as_everywhere(study):
    with served(create_app(study, overrides=overrides(study))) as url, client(url) as env:
        for case in cases(study):
            assert play(env, case) == case.judged


def test_sessions_at_a_time_are_kept_apart(points):
    table = cases("points-text")

    def all_of(first):
        with client(points) as env:
            return [play(env, case) == case.judged for case in table[first:] + table[:first]]

    with ThreadPoolExecutor(8) as pool:
        assert all(all(right) for right in pool.map(all_of, range(8)))


def test_the_conversation_is_that_of_a_session(points):
    session = problems("points-text").session("id", 4)
    with client(points) as env:
        assert env.reset(split="id", index=4).observation["messages"] == session.messages
        messages, reward, _ = session.step("no")
        result = env.step({"text": "no"})
        assert (result.observation["messages"], result.reward) == (messages, reward)
        assert result.observation | session.info == result.observation


def test_pictures_are_addresses():
    env = ShiftEnvironment(problems("points-vision"), "id", 10)
    seen = env.reset(index=3)
    assert seen.messages == problems("points-vision").session("id", 3, pictures="url").messages
    assert seen.messages[0]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")
    json.loads(seen.model_dump_json())


def test_the_state_names_the_episode(points):
    with client(points) as env:
        assert env.state()["episode_id"] is None
        env.reset(episode_id="mine", split="rule_ood", index=2)
        env.step({"text": "no"})
        state = env.state()
        assert state == {"episode_id": "mine", "step_count": 1, "split": "rule_ood", "index": 2, "decision": 0}
        env.reset()
        assert env.state()["episode_id"] not in (None, "mine") and env.state()["step_count"] == 0


def test_a_seed_draws_the_problem():
    env = ShiftEnvironment(problems("points-text"), "train", 1000)
    first = env.reset(seed=7)
    assert (first.split, first.index) == (env.reset(seed=7).split, env.reset(seed=7).index)
    assert len({env.reset(seed=seed).index for seed in range(20)}) > 15
    assert len({env.reset().index for _ in range(20)}) > 15
    assert max(ShiftEnvironment(problems("points-text"), "id", 2).reset(seed=seed).index for seed in range(9)) == 1


def test_splits_and_their_tasks(points):
    def asked(what, **body):
        return requests.post(f"{points}/points-text/{what}", json=body, timeout=30)

    kinds = {"train": "train", "id": "test", "rule_ood": "test", "train_diverse": "train"}
    splits = requests.get(f"{points}/points-text/splits", timeout=30).json()
    assert splits == [{"name": name, "type": kind} for name, kind in kinds.items()]
    assert asked("num_tasks", split="id").json() == {"num_tasks": 50}
    last = {"id": "rule_ood-49", "split": "rule_ood", "index": 49}
    assert asked("task", split="rule_ood", index=49).json() == {"task": last}
    assert asked("task_range", split="rule_ood", start=-1).json() == {"tasks": [last]}
    assert len(asked("tasks", split="id").json()["tasks"]) == 50
    assert asked("task", split="id", index=50).status_code == 400
    unknown = asked("num_tasks", split="ood")
    assert unknown.status_code == 422 and unknown.json()["detail"].startswith("unknown split 'ood'")


def test_what_cannot_be_asked(points):
    with client(points) as env:
        for asked, said in (
            ({"split": "ood"}, "unknown split 'ood'"),
            ({"split": ["id"]}, "unknown split"),
            ({"index": -1}, "index: -1 is no problem"),
            ({"index": "3"}, "index: '3' is no problem"),
            ({"spilt": "id"}, "reset: unknown key 'spilt'"),
        ):
            with pytest.raises(RuntimeError, match=said):
                env.reset(**asked)
        with pytest.raises(RuntimeError, match="step: no episode was begun"):
            env.step({"text": "no"})
        assert env.reset(split="id").observation["split"] == "id", "the session goes on"
        with pytest.raises(RuntimeError, match="VALIDATION_ERROR"):
            env.step({"answer": "no"})
        for _ in range(3):
            done = env.step({"text": "no"}).done
        assert done
        with pytest.raises(RuntimeError, match="the episode has ended"):
            env.step({"text": "no"})
    alone = requests.post(f"{points}/step", json={"action": {"text": "no"}}, timeout=30)
    assert alone.status_code == 422 and "connect to /ws and reset" in alone.json()["detail"]


def test_no_more_sessions_than_there_may_be():
    app = create_app("points-text", sessions=1)
    with served(app) as url, client(url) as env:
        env.reset()
        with pytest.raises(RuntimeError, match="at capacity"), client(url) as other:
            other.reset()


def test_the_validator_of_openenv_passes(points):
    report = validate_running_environment(points, timeout_s=30)
    assert report["passed"], report["criteria"]


def test_the_package_passes_the_validator():
    class Here:
        """Stands in for a container: the app of the package, in this process."""

        name, capabilities = "here", frozenset({ProviderCapability.IMAGE_BUILD})
        supported_network_modes = frozenset({"public"})

        def __init__(self, url):
            self.base_url = url

        def build(self, root, execution):
            return f"sha256:{'0' * 64}"

        def start(self, spec):
            return self

        def inspect(self):
            return {}

        def stop(self):
            pass

    with served(runpy.run_path(str(PACKAGE / "server" / "app.py"))["app"]) as url:
        report = run_validation(PACKAGE, max_level=Level.RUNTIME, provider=Here(url))
    found = {each.check_id: (each.status, each.evidence) for each in report.results}
    for name in ("static.manifest", *(f"runtime.{check}" for check in RUNTIME_CHECKS)):
        assert found[name][0] is CheckStatus.PASS, found[name]
    assert not [name for name, (status, _) in found.items() if status not in (CheckStatus.PASS, CheckStatus.SKIP)]
    declared = report.manifest.capabilities.declared_task_count
    env = ShiftEnvironment(problems("points-text"), "id", COUNT)
    assert declared == {split["name"]: env.num_tasks(split["name"]) for split in env.list_splits()}


def test_the_client_of_the_example(points, capsys):
    runpy.run_path(str(PACKAGE / "play.py"))["main"](points, ["id", "rule_ood"], problems=2)
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["id", "rule_ood"]


INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background of a shell ignores
runpy.run_module("shiftgym.integrations.openenv", run_name="__main__", alter_sys=True)
"""


def test_the_command_serves_until_it_is_interrupted():
    asked = ["points-text", "--port", "0", "--limit", "2", "--set", "task.hint=none", "--split", "rule_ood"]
    command = [sys.executable, "-c", INTERRUPTIBLE, *asked]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            name, _, url = server.stdout.readline().strip().partition(": ")
            assert name == "points-text"
            with client(url) as env:
                assert env.reset().observation["split"] == "rule_ood"
                assert env.step({"text": "no"}).observation["feedback"] == "That is not right. Try again."
                assert env.step({"text": "no"}).done
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(30) == INTERRUPTED and server.stderr.read() == ""


def test_a_command_without_openenv_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "openenv", None)
    for name in [name for name in sys.modules if name.startswith("openenv.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(Path(openenv.__file__)), run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "OpenEnv is not installed: pip install 'shiftgym[openenv]'\n"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["points-txt"], "did you mean 'points-text'"),
        (["points-text", "--split", "ood"], "unknown split 'ood'"),
        (["points-text", "--limit", "0"], "limit: 0 is no number of attempts"),
        (["points-text", "--count", "0"], "count: 0 is no number of problems; give 1 or more"),
        (["points-text", "--set", "task.limits=3"], "task.limits"),
    ],
)
def test_what_cannot_be_served(asked, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(asked)
    assert ended.value.code == 2 and said in capsys.readouterr().err
