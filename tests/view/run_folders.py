"""Small run folders, and an application that is asked without a network, for tests."""

import asyncio
import json
from urllib.parse import unquote

import tomli_w

from shiftgym.layout import RunFolder
from shiftgym.serving.guard import LOOPBACK
from shiftgym.view.folders import Runs
from shiftgym.view.server import Pages, view_app

HOSTILE = "<script>alert('1')</script> \"a\" & é \u2028 ../%2e?#"


def make_run(path, title="A study", split="id", label="PPO", seeds=(0, 1), **more):
    """A run folder in which nothing has run."""
    declared = {
        "name": "tiny",
        "title": title,
        "model": "points-0",
        "seeds": [*seeds],
        "data_seed": 0,
        "task": {"name": "points", "limit": 5},
        "splits": {"train": {}, split: {"hands": "test"}, "rule_ood": {"rule": "faces_as_11_12_13", "hands": "test"}},
        "compare": {
            "train": "train",
            "home": split,
            "shifted": ["rule_ood"],
            "reinforced": "ppo",
            "decoding": "greedy",
            "measure": "success",
        },
        "evaluation": {"splits": [split, "rule_ood"], "problems": 2, "decodings": ["sampled", "greedy"]},
        "budget": {"flops": 1e9, "checkpoints": [1.0]},
        "init": {"recipe": "sft"},
        "branches": {"ppo": {"recipe": "ppo", "label": label, "start": "init", "start_at": 1.0}},
    }
    path.mkdir(parents=True)
    run = RunFolder(path)
    run.study.write_text(tomli_w.dumps(declared | more), encoding="utf-8")
    return run


def rows(branch, seed, step, fraction, success, splits=("id", "rule_ood")):
    """The rows of a checkpoint: `success` of greedy answers by split, and 0 of sampled ones."""
    found = []
    for split in splits:
        for decoding in ("sampled", "greedy"):
            for problem in range(2):
                key = {"branch": branch, "seed": seed, "step": step, "fraction": fraction, "flops": 1e9 * fraction}
                key |= {"flops_paper": 0.0, "split": split, "decoding": decoding, "problem": problem}
                value = success[split] if decoding == "greedy" else 0.0
                found.append(key | {"success_1": value, "success": value, "reward": value, "decisions": []})
    return found


def add_results(branch_folder, found):
    """Add rows to the results in a folder of a branch."""
    branch_folder.path.mkdir(parents=True, exist_ok=True)
    with branch_folder.results.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in found)


def end(branch_folder):
    """Let a branch have ended."""
    branch_folder.path.mkdir(parents=True, exist_ok=True)
    branch_folder.done.write_text('{"state": "done", "message": ""}')


def pages_of(folder):
    """The pages of the runs in a folder, and the application that serves them."""
    pages = Pages(Runs(folder))
    return pages, view_app(pages, LOOPBACK)


async def ask(app, url, method="GET", headers=(), enough=None):
    """Status, headers and text of a reply.

    Args:
        headers: beside a Host that is let in.
        enough: of a reply without an end: whether so much text is enough. The reader then vanishes.
    """
    path, _, query = url.partition("?")
    given = {"host": "127.0.0.1:8017"} | dict(headers)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()],
    }
    sent, body, gone = [], bytearray(), asyncio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        body.extend(message.get("body", b""))
        if enough and enough(body.decode()):
            gone.set()
            await asyncio.sleep(0)

    await app(scope, receive, send)
    told = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, body.decode()
