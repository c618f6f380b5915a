"""A hub of this machine: it serves directories as repositories of models, as far as huggingface_hub asks for them."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Repositories by id, each with one commit.

    `refused` has what the hub says of one instead: status, the hub's name of the error, and whether only of its files.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.refused: dict[str, tuple[int, str, bool]] = {}
        self.asked: list[str] = []
        self.url = ""


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0].strip("/")
        self.hub.asked.append(path)
        of_files = not path.startswith("api/models/")
        repository, _, rest = (
            path.removeprefix("api/models/").replace("/resolve/", "/revision/").partition("/revision/")
        )
        repository, _, tree = repository.partition("/tree/")
        status, error, files_only = self.hub.refused.get(repository, (0, "", False))
        folder = self.hub.repositories.get(repository)
        if status and (of_files or not files_only):
            return self._send(status, b"", {"X-Error-Code": error, "X-Error-Message": error})
        if folder is None:
            return self._send(401, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        revision, _, file = rest.partition("/")
        if (revision or tree or "main") not in ("main", COMMIT):
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Revision not found"})
        if of_files:
            return self._file(folder / file, body=body)
        names = sorted(path.name for path in folder.iterdir())
        if tree:
            return self._json([self._entry(folder / name) for name in names])
        return self._json({"id": repository, "sha": COMMIT, "siblings": [{"rfilename": name} for name in names]})

    def _file(self, path: Path, *, body: bool) -> None:
        if not path.is_file():
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        content = path.read_bytes()
        tag = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        return self._send(200, content, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT}, body=body)

    def _entry(self, path: Path) -> dict[str, object]:
        content = path.read_bytes()
        tag = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        return {"type": "file", "path": path.name, "size": len(content), "oid": tag}

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str], *, body: bool = True) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that answers within."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hub.url = f"http://127.0.0.1:{server.server_port}"
        yield hub
        server.shutdown()


def use(monkeypatch: pytest.MonkeyPatch, url: str, cache: Path) -> None:
    """Let huggingface_hub, which reads the environment when it is imported, ask this hub and use this cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def fill(cache: Path, repository: str, files: Path, revision: str = "main") -> None:
    """Put a repository into a cache, as it lies there once it was fetched."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    for place in (folder / "refs", folder / "blobs", snapshot):
        place.mkdir(parents=True, exist_ok=True)
    (folder / "refs" / revision).write_text(COMMIT)
    for path in files.iterdir():
        content = path.read_bytes()
        blob = folder / "blobs" / hashlib.sha1(content, usedforsecurity=False).hexdigest()
        blob.write_bytes(content)
        if not (snapshot / path.name).is_symlink():
            (snapshot / path.name).symlink_to(blob)
