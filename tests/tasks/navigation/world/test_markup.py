"""Files that are no map are named by what they are and what they say."""

import bz2
import gzip
import lzma

import pytest

from shiftgym.errors import DataError
from shiftgym.tasks.navigation.world.markup import parse

OVERPASS_PAGE = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
<head><title>OSM3S Response</title></head><body>
<p>The data included in this document is from www.openstreetmap.org.</p>
<p><strong style="color:#FF0000">Error</strong>: runtime error: open64: 0 Success Dispatcher_Client::timeout.
The server is probably too busy to handle your request &amp; more. </p>
</body></html>"""
BUSY = '"Error: runtime error: open64: 0 Success Dispatcher_Client::timeout. The server is probably too busy to handle'


def events(path, root="osm"):
    found = []
    parse(
        path, root, lambda name, at: found.append((name, dict(at))), lambda name: found.append(name), lambda _text: None
    )
    return found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b" \n\t", "it is empty"),
        (gzip.compress(b"<osm/>", mtime=0), "packed (gzip); unpack it first"),
        (bz2.compress(b"<osm/>"), "packed (bzip2)"),
        (lzma.compress(b"<osm/>"), "packed (xz)"),
        (b"\x00\x00\x00\x0d\x0a\x09OSMHeader\x18\x7c", "osmium cat"),
        (OVERPASS_PAGE, BUSY),
        (b"<html><head><title>x</title></head><h1>504 Gateway Time-out</h1><hr>nginx", '"504 Gateway Time-out nginx"'),
        (b"<!doctype html><p>Error: rate_limited<p>Bye", '"Error: rate_limited"'),
        (b'{"elements": [], "remark": "runtime error: Query timed out"}', '"runtime error: Query timed out"'),
        (b'{"elements": []}', "it is JSON; a map is XML, which Overpass gives with [out:xml]"),
        (b"You requested too many nodes\n(limit is 50000).", '"You requested too many nodes (limit is 50000)."'),
        (b"x" * 1000, f'"{"x" * 300}..."'),
        (b"<osmChange/>", "its outermost element is <osmChange>, where that of such a map is <osm>"),
        (b"<osm><node", "its XML cannot be read"),
        (b'<!DOCTYPE osm [<!ENTITY a "aa">]><osm>&a;</osm>', "document type"),
        (b'<?xml version="1.0" encoding="klingon"?><osm/>', "unknown encoding: klingon; save it as UTF-8"),
        (
            '<?xml version="1.0" encoding="gbk"?><osm v="街"/>'.encode("gbk"),
            "multi-byte encodings are not supported; save",
        ),
    ],
)
def test_one_line_says_what_the_file_is(tmp_path, content, reason):
    (tmp_path / "a.osm").write_bytes(content)
    with pytest.raises(DataError) as caught:
        events(tmp_path / "a.osm")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252", "iso-8859-15"])
def test_every_declared_encoding_of_single_bytes_is_read(tmp_path, encoding):
    declared = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{declared}"?>\n<osm><tag v="Straße"/></osm>'
    (tmp_path / "a.osm").write_text(text, encoding=encoding)
    assert events(tmp_path / "a.osm") == [("tag", {"v": "Straße"}), "tag", "osm"]


def test_names_come_without_the_prefix_of_their_namespace(tmp_path):
    (tmp_path / "a").write_text('<g:graphml xmlns:g="http://x.org"><g:node id="1"/></g:graphml>', encoding="utf-8")
    assert events(tmp_path / "a", "graphml") == [("node", {"id": "1"}), "node", "graphml"]
