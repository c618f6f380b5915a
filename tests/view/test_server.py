"""The pages of runs: what they show, what they refuse, that nothing is written, and that they end as they are told."""

import asyncio
import json
import os
import re
import shutil
import socket
import threading
import time
from html import unescape
from urllib.parse import quote

import pytest
import uvicorn
from tests.view.run_folders import HOSTILE, add_results, ask, end, make_run, pages_of, rows

from shiftgym.errors import ConfigError
from shiftgym.following.board import Board
from shiftgym.serving.guard import LOOPBACK
from shiftgym.serving.listening import listening
from shiftgym.view import server as server_module
from shiftgym.view import watching
from shiftgym.view.folders import Runs
from shiftgym.view.server import Pages, Server, view, view_app


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(watching, "POLL", 0.01)


def reply(folder, url, **asked):
    """Status, headers and text of a page of the runs in a folder."""

    async def once():
        pages, app = pages_of(folder)
        found = await ask(app, url, **asked)
        pages.close()
        return found

    return asyncio.run(once())


def tree(folder):
    """All that lies in a folder, with when it was written."""
    found = {path: path.lstat() for path in (folder, *folder.rglob("*"))}
    return {str(path): (one.st_mtime_ns, one.st_ctime_ns, one.st_size, one.st_ino) for path, one in found.items()}


def test_a_list_and_what_it_leads_to(tmp_path):
    for name in ("one", "suite/two"):
        make_run(tmp_path / name, title=f"The title of {name}")
    status, _, text = reply(tmp_path, "/")
    assert status == 200 and "The title of suite/two" in text
    links = re.findall(r'href="(run/[^"]+/)"', text)
    assert sorted(links) == ["run/one/", "run/suite~two/"]
    for link in links:
        assert reply(tmp_path, f"/{link}")[0] == 200
    assert reply(tmp_path, "/run/one")[:1] == (307,)
    assert reply(tmp_path, "/run/one")[1]["location"] == "./one/"
    assert reply(tmp_path, "/compare?run=one&run=suite~two")[0] == 200


def test_one_run_alone_is_shown_at_once(tmp_path):
    run = make_run(tmp_path / "a%b c")
    status, headers, _ = reply(run.path, "/")
    assert (status, headers["location"]) == (307, "./run/a%25b%20c/")
    status, _, text = reply(run.path, "/run/a%25b%20c/")
    assert status == 200 and "a%b c" in text


def test_a_new_run_appears(tmp_path):
    make_run(tmp_path / "old")

    async def look():
        pages, app = pages_of(tmp_path)
        assert (await ask(app, "/run/new/"))[0] == 404
        make_run(tmp_path / "new")
        assert 'href="run/new/"' in (await ask(app, "/"))[2]
        shutil.rmtree(tmp_path / "new")
        assert 'href="run/new/"' not in (await ask(app, "/"))[2]
        pages.close()

    asyncio.run(look())


def test_what_pages_load_is_served_and_nothing_else(tmp_path):
    make_run(tmp_path / "one")
    for page in ("/", "/run/one/"):
        loaded = re.findall(r'(?:src|href)="[./]*(static/[^"]+)"', reply(tmp_path, page)[2])
        assert len(loaded) > 2
        for url in loaded:
            status, headers, text = reply(tmp_path, f"/{url}")
            assert status == 200 and text
            assert headers["content-type"] == f"text/{'css' if url.endswith('css') else 'javascript'}; charset=utf-8"
    for name in ("page.html.j2", "..%2Fpage.py", "../page.py", "%2e%2e/page.py", "no.js"):
        assert reply(tmp_path, f"/static/{name}")[0] == 404


@pytest.mark.parametrize(
    "url",
    [
        "/run/../secret/",
        "/run/..%2Fsecret/",
        "/run/%2e%2e/board",
        "/run/%2Fetc/report",
        "/run/linked/",
        "/run/one%00/",
        "/run/one/study.toml",
        "/run/one/../../secret",
        "/run/one/branches/ppo-seed0/log.txt",
        "/run//",
        "/compare?run=one&run=../secret",
        "/no",
    ],
)
def test_no_path_leaves_the_runs(url, tmp_path):
    make_run(tmp_path / "runs" / "one")
    make_run(tmp_path / "secret", title="the secret")
    (tmp_path / "runs" / "linked").symlink_to(tmp_path / "secret")
    status, headers, text = reply(tmp_path / "runs", url)
    assert status == 404 and headers["content-type"].startswith("text/html") and "the secret" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_one_may_only_look(method, tmp_path):
    make_run(tmp_path / "one")
    for url in ("/", "/run/one/", "/run/one/events", "/run/one/report"):
        status, headers, _ = reply(tmp_path, url, method=method)
        assert status == 405 and "content-security-policy" in headers


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("/run/one/problem?split=id&index=-1", 400, "give the number of a problem"),
        ("/run/one/problem?split=id", 400, "give the number of a problem"),
        ("/run/one/problem?split=id&index=9999999999", 400, "give the number of a problem"),
        ("/run/one/problem?split=%3Cb%3E&index=0", 404, "no problem 0 of '<b>'"),
        ("/compare?run=one", 400, "choose two runs"),
        ("/compare?run=one&run=one", 400, "choose two runs"),
        ("/run/<b>/", 404, "there is no run '<b>'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(url, status, said, tmp_path):
    make_run(tmp_path / "one")
    found = reply(tmp_path, url)
    assert found[0] == status and said in unescape(found[2]) and "<b>" not in found[2]


def test_what_others_wrote_stays_text(tmp_path):
    """Titles, labels, splits, file names and logs reach a page escaped, and a script only as values."""
    name = "<img src=x onerror=alert(1)> \"'&%2F?#é"
    run = make_run(tmp_path / name, title=HOSTILE, label=HOSTILE, split=HOSTILE, name=HOSTILE, note=HOSTILE)
    run.environment.write_text("{}")
    branch = run.branch("ppo-seed0")
    add_results(branch, rows("ppo", 0, 1, 1.0, {HOSTILE: 0.5, "rule_ood": 0.5}, (HOSTILE, "rule_ood")))
    end(branch)
    text = reply(tmp_path, "/")[2]
    assert "<script>a" not in text and "<img" not in text
    assert HOSTILE in unescape(text) and name in unescape(text)
    (url,) = re.findall(r'href="(run/[^"]+/)"', text)
    assert url == f"run/{quote(name, safe='')}/"
    status, _, page = reply(tmp_path, f"/{url}")
    assert status == 200 and "<img" not in page and name in unescape(page)
    status, headers, board = reply(tmp_path, f"/{url}board")
    assert (status, headers["content-type"]) == (200, "application/json")
    head = json.loads(board)["patch"]["run"]["head"]
    assert (head["title"], head["home"]) == (HOSTILE, HOSTILE)
    compared = reply(tmp_path, f"/compare?run={quote(name)}&run=x")[2]
    assert "<img" not in compared


def test_a_broken_run_is_a_line_and_the_others_go_on(tmp_path):
    make_run(tmp_path / "good", title="the good one")
    make_run(tmp_path / "bad").study.write_text("= no TOML")
    text = reply(tmp_path, "/")[2]
    assert "the good one" in text and "no valid TOML" in text
    assert reply(tmp_path, "/run/bad/")[0] == 200
    assert "no valid TOML" in json.loads(reply(tmp_path, "/run/bad/board")[2])["patch"]["run"]["fault"]
    assert "head" in json.loads(reply(tmp_path, "/run/good/board")[2])["patch"]["run"]


def test_nothing_is_written(tmp_path, monkeypatch):
    run = make_run(tmp_path / "runs" / "one")
    add_results(run.branch("ppo-seed0"), rows("ppo", 0, 1, 1.0, {"id": 1.0, "rule_ood": 1.0}))
    run.lock.write_text("")
    before = tree(tmp_path)
    monkeypatch.chdir(tmp_path)

    async def look():
        pages, app = pages_of(tmp_path / "runs")
        for url in (
            "/",
            "/run/one/",
            "/run/one/board",
            "/run/no/",
            "/static/page.css",
        ):
            assert (await ask(app, url))[0] in (200, 404)
        await ask(app, "/run/one/events", enough=lambda text: "data:" in text)
        pages.close()

    asyncio.run(look())
    assert tree(tmp_path) == before


def test_no_link_in_a_run_is_followed(tmp_path):
    """A run folder may come from elsewhere."""
    secret = tmp_path / "secret"
    secret.mkdir()
    for name in ("log.txt", "metrics.jsonl", "results.jsonl", "evaluation_episodes.jsonl", "states.json"):
        (secret / name).write_text('{"message": "the secret", "step": 1}\n')
    (secret / "done.json").write_text('{"state": "stopped", "message": "the secret"}')
    (secret / "study.toml").write_text('the_secret = ["')
    run = make_run(tmp_path / "runs" / "one")
    first, second = run.branch("init-seed0").path, run.branch("init-seed1").path
    first.mkdir(parents=True)
    for path in secret.iterdir():
        (first / path.name).symlink_to(path)
    second.symlink_to(secret)
    run.states.symlink_to(secret / "states.json")
    (tmp_path / "runs" / "two").mkdir()
    (tmp_path / "runs" / "two" / "study.toml").symlink_to(secret / "study.toml")
    for url in ("/", "/run/one/board", "/run/two/board"):
        assert "secret" not in reply(tmp_path / "runs", url)[2]


def test_code_beside_a_run_is_not_run_to_show_it(tmp_path, monkeypatch):
    make_run(tmp_path / "bundle" / "one", task={"name": "bundle.own:Own", "limit": 5})
    (tmp_path / "bundle" / "own.py").write_text("import pathlib\npathlib.Path('it-was-run').touch()\n")
    monkeypatch.chdir(tmp_path)
    for url, status in (("/run/one/problem?split=id&index=0", 404), ("/run/one/report", 503)):
        found = reply(tmp_path / "bundle", url)
        assert found[0] == status and "is code in this folder, which is not run to show it" in unescape(found[2])
    assert not (tmp_path / "it-was-run").exists()


def test_a_task_that_cannot_be_had_is_a_line(tmp_path):
    make_run(tmp_path / "one", task={"name": "of_nobody:Own", "limit": 5})
    status, _, text = reply(tmp_path, "/run/one/problem?split=id&index=0")
    assert status == 404 and "there is no module 'of_nobody'" in unescape(text)


def test_folders_may_be_called_anything(tmp_path):
    """A name need not be UTF-8."""
    for name in (b"good-\xe9", b"broken-\xe9"):
        make_run(tmp_path / os.fsdecode(name))
    (tmp_path / os.fsdecode(b"broken-\xe9") / "study.toml").write_text("title = ")
    status, _, text = reply(tmp_path, "/")
    assert status == 200 and "broken-?/study.toml: no valid TOML" in unescape(text)
    assert reply(tmp_path, "/run/good-%EF%BF%BD/board")[0] == 200


SIZE = 3_000_000


class Large:
    """A board of so many bytes."""

    def __init__(self, folder):
        self.board = Board()

    def look(self):
        self.board.put("run", "value", "x" * SIZE)
        return False


def test_the_server_ends_soon_whoever_is_still_there(tmp_path, caplog):
    """One reader has read all, one reads nothing, one has vanished; a page is served meanwhile."""
    make_run(tmp_path / "one")
    pages = Pages(Runs(tmp_path), Large)
    config = uvicorn.Config(view_app(pages, LOOPBACK), log_config=None, ws="none", timeout_graceful_shutdown=0)
    server = Server(config, pages)
    with listening("127.0.0.1", 0) as listener:
        at = listener.getsockname()
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        readers = [socket.socket() for _ in range(3)]
        for reader in readers:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            reader.connect(at)
            reader.sendall(b"GET /run/one/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        got, gone, _silent = readers
        read = 0
        while read < SIZE:
            read += len(got.recv(1 << 20))
        gone.close()
        with socket.create_connection(at) as other:
            other.sendall(b"GET /run/one/ HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            assert other.recv(15) == b"HTTP/1.1 200 OK"
        began = time.monotonic()
        server.should_exit = True
        thread.join(20)
        assert time.monotonic() - began < 2
        for reader in readers:
            reader.close()
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        ("no", {}, "no: there is no such folder"),
        ("file", {}, "file: there is no such folder"),
        ("empty", {}, "empty: there is no run in it"),
        ("runs", {"host": "0.0.0.0"}, "put a secret token into SHIFTGYM_TOKEN first"),
        ("runs", {"port": 99999}, "give a number from 0 to 65535"),
        ("runs", {"host": "203.0.113.1"}, "SHIFTGYM_TOKEN"),
        ("runs", {"host": "203.0.113.1", "token": "x"}, "--host 203.0.113.1"),
    ],
)
def test_what_cannot_be_served_is_a_line(path, options, said, tmp_path):
    make_run(tmp_path / "runs" / "one")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=re.escape(said)):
        view(tmp_path / path, **options)


def test_the_next_port_is_taken_unless_one_was_asked_for(tmp_path, monkeypatch, capsys):
    make_run(tmp_path / "one")
    served, opened = [], []
    monkeypatch.setattr(
        server_module.Server, "run", lambda self, listeners: served.append(listeners[0].getsockname()[1])
    )
    monkeypatch.setattr(server_module, "open_browser", opened.append)
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(server_module, "PORT", port)
        view(tmp_path, opened=True, token="s3cret")
        assert served and served[0] != port
        with pytest.raises(ConfigError, match=f"--port {port}: Address already in use"):
            view(tmp_path, port=port)
    url = f"http://127.0.0.1:{served[0]}/"
    printed = capsys.readouterr().out
    assert opened == [url] and printed.startswith(f"page: {url}\n") and "s3cret" not in printed
