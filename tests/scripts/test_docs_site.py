"""The site is built of the pages without a warning, loads nothing from elsewhere, and its links lead somewhere."""

import re
import resource
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from scripts.docs_site import HEAD, ROOT, Stage, llms, pages, summary
from tests.pages import PAGES

import shiftgym

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROJECT = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
NAV = [page.as_posix() for _, inside in pages(PROJECT["nav"]) for page in inside]


def test_the_navigation_has_every_page_once() -> None:
    assert sorted(NAV) == sorted(page.removeprefix("docs/") for page in PAGES if page.startswith("docs/"))


def test_the_page_of_the_package_has_every_public_name_once() -> None:
    shown = re.findall(r"^::: (\S+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    homes = [f"shiftgym.{home}.{name}" for name, home in shiftgym._HOMES.items()]
    assert sorted(shown) == sorted(homes)


def staged(folder: Path, **files: str) -> dict[str, str]:
    """Stage a page that links to files; the staged texts by their places."""
    for name, text in files.items():
        path = folder / "there" / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    Stage(folder / "there", folder / "here").page(PurePosixPath("docs/deep/a.md"))
    here = folder / "here"
    return {path.relative_to(here).as_posix(): path.read_text() for path in here.rglob("*") if path.is_file()}


def test_a_link_to_a_file_outside_leads_to_a_page_that_shows_it(tmp_path: Path) -> None:
    texts = staged(
        tmp_path,
        docs__deep__a_md="# A\n\n<!-- runs -->\n```sh\n[kept](../../x.py)\n```\n\n[b](../b.md#at) [x](../../x.py) [s](https://a.b)\n",
        docs__b_md="# B\n",
        x_py='"""A ``` inside."""\n',
    )
    assert texts == {
        "deep/a.md": "# A\n\n```sh\n[kept](../../x.py)\n```\n\n[b](../b.md#at) [x](../source/x.py.md) [s](https://a.b)\n",
        "b.md": "# B\n",
        "source/x.py.md": HEAD + '# x.py\n\n````python\n"""A ``` inside."""\n````\n',
    }


def test_a_link_to_a_folder_leads_to_a_list_of_what_it_holds(tmp_path: Path) -> None:
    texts = staged(tmp_path, docs__deep__a_md="# A\n\n[f](../../f)\n", f__x_py="1\n", f__y_md="# Y\n\n[x](x.py)\n")
    assert texts["source/f.md"] == HEAD + "# f\n\n* [x.py](f/x.py.md)\n* [y.md](f/y.md)\n"
    assert texts["source/f/y.md"] == "# Y\n\n[x](x.py.md)\n"


def test_a_link_to_nothing_ends_the_build(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"docs/deep/a.md links to ../no.md, which is not there"):
        staged(tmp_path, docs__deep__a_md="# A\n\n[n](../no.md)\n")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("# T\n\nOne *line* of [two](x.md).\nAnd more.\n", "One line of two."),
        ("# T\n\n![picture](x.png)\n\n> Note.\n\n```sh\nrun\n```\n\n`a` is: that. B\n", "a is: that."),
    ],
)
def test_a_page_is_summed_up_by_its_first_sentence(text: str, first: str) -> None:
    assert summary(text) == ("T", first)


def test_llms_txt_has_the_form_of_llmstxt_org(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n\nWhat it is. And more.\n")
    (tmp_path / "b.md").write_text("# B\n\nOther.\n")
    project = {
        "site_name": "n",
        "site_description": "d",
        "nav": [{"Home": "a.md"}, {"More": [{"Deep": [{"Bee": "b.md"}]}]}],
    }
    index, full = llms(project, tmp_path)
    assert index == "# n\n\n> d\n\n## Home\n\n- [A](a.md): What it is.\n\n## More\n\n- [B](b.md): Other.\n"
    assert full == "# A\n\nWhat it is. And more.\n\n# B\n\nOther.\n"


class Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given.get("id", ""), given.get("name", "")}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.loads.append(given.get("href", ""))
        self.loads += [given[name] for name in ("src", "srcset", "poster", "data") if name in given]


def seconds() -> float:
    """Seconds that processes started from here have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="module")
def site() -> Path:
    """The site, built without a network and in less than a minute of computing, however busy the machine is."""
    began = seconds()
    nowhere = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    command = [sys.executable, "scripts/docs_site.py"]
    done = subprocess.run(command, cwd=ROOT, env=nowhere, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert seconds() - began < 60
    return ROOT / PROJECT["site_dir"]


@pytest.fixture(scope="module")
def built(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}


@pytest.mark.slow
def test_every_page_is_built(site: Path) -> None:
    for page in NAV:
        assert (site / page).with_name(Path(page).name.replace("README", "index")).with_suffix(".html").is_file()
        assert (site / page).is_file()
    listed = re.findall(r"^- \[[^]]+\]\(([^)]+)\): \S.*[.?!:]$", (site / "llms.txt").read_text(), re.MULTILINE)
    assert listed == NAV


@pytest.mark.slow
def test_links_of_the_site_lead_to_files_and_anchors(site: Path, built: dict[Path, Page]) -> None:
    for path, page in built.items():
        for link in page.links:
            if not re.match(r"[a-z]+:", link):
                name, _, anchor = link.partition("#")
                led = (path.parent / unquote(name)).resolve() if name else path
                led = led / "index.html" if led.is_dir() else led
                assert led.is_file(), f"{path.relative_to(site)} links to {link}"
                if anchor and led in built:
                    assert unquote(anchor) in built[led].anchors, f"{path.relative_to(site)} links to {link}"


@pytest.mark.slow
def test_pages_load_nothing_from_elsewhere(site: Path, built: dict[Path, Page]) -> None:
    for path, page in built.items():
        for load in page.loads:
            assert load.startswith("data:") or not re.match(r"([a-z]+:)?//", load), f"{path.relative_to(site)}: {load}"
    for path in site.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        loads = re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")]+)", text)
        assert not [load for load in loads if re.match(r"(https?:)?//", load)], path.name


@pytest.mark.slow
def test_a_browser_opens_the_files_and_searches_them(site: Path, browser: "Browser") -> None:
    from tests.browser.chromium import seen

    asked: list[str] = []
    with seen(browser) as shown:
        shown.page.on("request", lambda request: asked.append(request.url))
        page = shown.opened((site / "integrations" / "trl.html").as_uri())
        page.keyboard.press("/")
        page.get_by_role("combobox", name="Search").press_sequentially("perseveration")
        page.get_by_role("combobox", name="Search").and_(page.locator("[aria-activedescendant]")).wait_for()
        assert page.get_by_role("combobox", name="Search").input_value() == "perseveration"
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("perseveration"))
        assert page.locator("h1").is_visible()
    assert all(url.startswith(("file:", "data:")) for url in asked), asked


@pytest.mark.slow
def test_nobody_is_shut_out(site: Path, browser: "Browser") -> None:
    from tests.browser.chromium import faults, seen

    for name in ("start", "settings", "gallery"):
        for changed in (False, True):
            with seen(browser, dark=changed, phone=changed) as shown:
                page = shown.opened((site / f"{name}.html").as_uri())
                assert faults(page) == []
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
