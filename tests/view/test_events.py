"""A stream of events begins with the whole, resumes where it stopped, and says now and then that it is there."""

import asyncio
import json
import re

import pytest
from tests.view.run_folders import ask, make_run, pages_of

from shiftgym.view import events, watching


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "POLL", 0.01)
    monkeypatch.setattr(events, "HEARTBEAT", 0.05)
    return make_run(tmp_path / "run").path


def test_events_resume_where_they_stopped(folder):
    async def read():
        pages, app = pages_of(folder)
        url = "/run/run/events"
        status, headers, text = await ask(app, url, enough=lambda text: ": here" in text)
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert headers["cache-control"] == "no-store" and "content-encoding" not in headers
        head, *parts = text.split("\n\n")
        assert head == "retry: 1000"
        numbers = [re.fullmatch(r"id: (\w+-\d+)\nevent: patch\ndata: (.+)", part) for part in parts[:-2]]
        first, last = (json.loads(number[2]) for number in (numbers[0], numbers[-1]))
        assert first["whole"] and first["patch"]["run"]["head"]["title"] == "A study"
        assert len(numbers) == 1 or not last["whole"]
        heard = numbers[-1][1]
        ways = [
            (url, {"Last-Event-ID": heard}),
            (f"{url}?last={heard}", {}),
            (f"{url}?last=old-1", {"Last-Event-ID": heard}),
        ]
        for again, given in ways:
            assert "data:" not in (await ask(app, again, headers=given, enough=lambda text: ": here" in text))[2]
        _, _, anew = await ask(app, f"{url}?last=other-3", enough=lambda text: "\ndata:" in text)
        assert '"whole":true' in anew
        pages.close()
        assert (await ask(app, url))[2] == "retry: 1000\n\n", "a stream that begins at the end is over at once"

    asyncio.run(read())


def test_a_stream_ends_when_the_pages_are_closed(folder):
    async def read():
        pages, app = pages_of(folder)
        reading = [asyncio.create_task(ask(app, "/run/run/events")) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert not any(one.done() for one in reading)
        pages.close()
        assert {(await asyncio.wait_for(one, 2))[0] for one in reading} == {200}

    asyncio.run(read())


def test_who_asks_for_the_head_gets_no_stream(folder):
    async def read():
        pages, app = pages_of(folder)
        assert (await asyncio.wait_for(ask(app, "/run/run/events", method="HEAD"), 2))[0] == 200
        pages.close()

    asyncio.run(read())


@pytest.mark.parametrize("version", ["9" * 5000, "99999999", "-1", "\xb2", ""])
def test_an_id_that_is_none_gets_the_whole(folder, version):
    async def read():
        pages, app = pages_of(folder)
        _, _, text = await ask(app, "/run/run/events", enough=lambda text: "\ndata:" in text)
        incarnation = re.search(r"id: (\w+)-", text)[1]
        given = {"Last-Event-ID": f"{incarnation}-{version}"}
        _, _, anew = await ask(app, "/run/run/events", headers=given, enough=lambda text: "\ndata:" in text)
        assert '"whole":true' in anew
        pages.close()

    asyncio.run(read())


def test_a_long_event_is_sent_in_pieces(folder, monkeypatch):
    monkeypatch.setattr(events, "PIECE", 7)

    async def read():
        pages, app = pages_of(folder)
        _, _, text = await ask(app, "/run/run/events", enough=lambda text: ": here" in text)
        first = text.split("\n\n")[1]
        assert json.loads(first.partition("data: ")[2])["whole"]
        pages.close()

    asyncio.run(read())
