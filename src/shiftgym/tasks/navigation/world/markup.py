"""The XML of map files, read as events. A file that is something else is named by what it says.

A document type declaration, the way into XML's known attacks, is refused before anything is read.
"""

import codecs
import html
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.parsers import expat

from shiftgym.errors import DataError

HEAD = 16_384
"""Bytes of a file by which its kind is told."""
LONGEST_QUOTE = 300
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z"}
"""First bytes of packed files."""


def parse(
    path: Path,
    root: str,
    start: Callable[[str, Mapping[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    """Call `start` with the name and the attributes of each element, `text` with the text in it, `end` with its name.

    Names come without the prefix of their namespace.

    Raises:
        DataError: the file is no XML whose outermost element is `root`.
    """
    with path.open("rb") as file:
        refuse_other_kinds(file.read(HEAD))

    def refuse(*_: object) -> None:
        raise DataError("it has a document type declaration, which no map needs")

    def first(name: str, _: Mapping[str, str]) -> None:
        if local(name) != root:
            raise DataError(f"its outermost element is <{name}>, where that of such a map is <{root}>")
        parser.StartElementHandler = lambda name, attributes: start(local(name), attributes)

    def local(name: str) -> str:
        return name.rpartition(":")[2]

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = first
    parser.EndElementHandler = lambda name: end(local(name))
    parser.CharacterDataHandler = text
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise DataError(f"its XML cannot be read: {error}") from None
    # Python's part of the parser raises these for encodings that it does not know.
    except (LookupError, ValueError) as error:
        raise DataError(f"its XML cannot be read: {error}; save it as UTF-8") from None


def refuse_other_kinds(head: bytes) -> None:
    """DataError unless a file that begins with these bytes may be XML. It quotes the error that a server sent instead
    of a map."""
    packed = next((name for magic, name in PACKED.items() if head.startswith(magic)), None)
    if packed:
        raise DataError(f"it is packed ({packed}); unpack it first")
    if b"OSMHeader" in head[:64]:
        raise DataError("it is in the format PBF; convert it first: osmium cat city.osm.pbf -o city.osm")
    wide = head.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE))
    text = head.decode("utf-16" if wide else "utf-8", errors="replace").strip("\ufeff\0 \t\r\n")
    if not text:
        raise DataError("it is empty")
    if re.search(r"<(!doctype\s+)?html\b", text[:1000], re.IGNORECASE):
        raise DataError(f"it is a web page, which says {quoted(_said(text))}")
    remark = re.search(r'"remark"\s*:\s*"([^"]*)"', text)
    if text[0] in "{[":
        says = f", which says {quoted(remark[1])}" if remark else ""
        raise DataError(f"it is JSON{says}; a map is XML, which Overpass gives with [out:xml]")
    if text[0] != "<":
        raise DataError(f"it is no XML; it says {quoted(text)}")


def quoted(text: str) -> str:
    """The text in quotation marks, in one line of bounded length."""
    line = " ".join(text.split())
    return f'"{line[:LONGEST_QUOTE]}..."' if len(line) > LONGEST_QUOTE else f'"{line}"'


def _said(page: str) -> str:
    """The paragraphs of a web page that tell of an error, or all of them."""
    page = re.sub(r"<(script|style|head)\b.*?</\1\s*>", " ", page, flags=re.IGNORECASE | re.DOTALL)
    parts = re.split(r"</?(?:body|br|div|h\d|hr|li|p|title|tr)\b[^>]*>", page, flags=re.IGNORECASE)
    texts = [html.unescape(re.sub(r"<[^>]*>", "", part)).strip() for part in parts]
    return " ".join([text for text in texts if "error" in text.lower()] or texts)
