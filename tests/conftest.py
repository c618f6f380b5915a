"""A model of GeneralPoints so small that a whole study takes seconds, an endpoint on this machine, a cluster on it, and
a browser."""

import gc
import json
import os
import shlex
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.drawing import drawn_once as drawing_once
from tests.hub_server import serving, use

from shiftgym.seeds import derive

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, so that no process is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


def pytest_collection_finish() -> None:
    """Have Python look for garbage only in what tests make, and not again and again in all that was imported."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def drawn_once() -> Iterator[None]:
    """Reports draw each panel once: for tests that ask for no picture."""
    with drawing_once():
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Debian's Chromium, once for all tests of a process, since Playwright allows no second one of itself."""
    playwright = pytest.importorskip("playwright.sync_api")
    from tests.browser.chromium import CHROMIUM

    if not CHROMIUM.is_file():
        pytest.skip("Chromium is missing: apt-get install chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        playwright.expect.set_options(timeout=30_000)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def tiny_points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a random Llama of 8 dimensions with a tokenizer for GeneralPoints."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from shiftgym.backbones.points import CORPUS
    from shiftgym.backbones.tokenizer import train_tokenizer
    from shiftgym.tasks.registry import build_task

    task = build_task("points")
    problems = [task.problem("train", index) for index in range(50)]
    tokenizer = train_tokenizer(
        [task.start(one).prompt[0]["content"] for one in problems], 600, CORPUS.pieces, CORPUS.numbers
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(derive(0, "tiny"))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=generator)
    folder = tmp_path_factory.mktemp("tiny") / "model"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def _on_the_cpu(request, monkeypatch):
    """No test but one for a GPU sees the GPUs of this machine, so that results are the same on every machine."""
    if request.node.get_closest_marker("gpu") is None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


LISTED = "GPU {0}: NVIDIA H200 (UUID: GPU-uuid-{0})"
QUERIED = {"memory.total": "GPU-uuid-{0}, 143771", "driver_version": "GPU-uuid-{0}, 570.1"}


@pytest.fixture
def nvidia_smi(tmp_path_factory, monkeypatch):
    """Have an `nvidia-smi` that lists so many GPUs, or prints such a text. Until this is called it fails, as it does
    where there is none."""
    folder = tmp_path_factory.mktemp("bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("shiftgym.gpus.torch_has_cuda", lambda: True)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def lists(gpus, code=0):
        listed = gpus if isinstance(gpus, str) else lines(LISTED, gpus)
        cases = {"-L": listed}
        if not isinstance(gpus, str):
            cases |= {f"--query-gpu=uuid,{field}": lines(line, gpus) for field, line in QUERIED.items()}
        told = "\n".join(f"{option}) printf '%s\\n' {shlex.quote(text)};;" for option, text in cases.items())
        script = folder / "nvidia-smi"
        script.write_text(f'#!/bin/sh\ncase "$1" in\n{told}\nesac\nexit {code}\n')
        script.chmod(0o755)

    def lines(line, count):
        return "\n".join(line.format(index) for index in range(count))

    lists("No devices were found", code=9)
    return lists


class Server:
    """Replies to each request with what `script` says for its number and body: (status, reply) or (status, reply,
    headers). A reply in bytes is sent as it is, anything else as JSON."""

    def __init__(self, script):
        self.requests, lock = [], threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler):  # noqa: N805
                body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
                with lock:
                    self.requests.append((handler.path, dict(handler.headers), body))
                    number = len(self.requests) - 1
                status, reply, *more = script(number, body)
                data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                headers = {"Content-Type": "application/json", "Content-Length": str(len(data)), **dict(*more)}
                handler.send_response(status)
                for key, value in headers.items():
                    handler.send_header(key, value)
                handler.end_headers()
                handler.wfile.write(data)

            def log_message(handler, *args):  # noqa: N805
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    @property
    def bodies(self):
        return [body for _, _, body in self.requests]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="session")
def ray_cluster():
    """A Ray cluster of two nodes with a CPU each, and a head without any. GPUs are only counted."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        yield cluster
        cluster.shutdown()


@pytest.fixture
def serve(monkeypatch):
    """Start a server with that script; it ends with the test."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ExitStack() as running:
        yield lambda script: running.enter_context(Server(script))


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that is asked from here on, with an empty cache in `tmp_path / "cache"`."""
    with serving() as served:
        use(monkeypatch, served.url, tmp_path / "cache")
        yield served
