"""The style of each city in street views, as data."""

from dataclasses import fields
from functools import cache
from pathlib import Path

from shiftgym.seeds import rng
from shiftgym.tasks.navigation.streetview.colours import Colour, hues
from shiftgym.tasks.navigation.streetview.style import Air, Furniture, Ground, Houses, Style, Vehicle


def _three(text: str) -> tuple[Colour, Colour, Colour]:
    a, b, c = hues(text)
    return a, b, c


def _four(text: str) -> tuple[Colour, Colour, Colour, Colour]:
    a, b, c, d = hues(text)
    return a, b, c, d


def _vehicles(*lines: str) -> tuple[Vehicle, ...]:
    """Each line: kind, then colours of body and roof and maybe of a stripe."""
    found = []
    for line in lines:
        kind, painted = line.rsplit(":")
        body, roof, *stripe = hues(painted)
        found.append(Vehicle(kind, body, roof, *stripe))  # type: ignore[arg-type]
    return tuple(found)


GREY, SILVER, BLACK, WHITE = "car:77797c 6b6d70", "car:b9bdc2 b0b4b9", "car:26272b 1f2024", "car:e9e9e6 dededb"

STYLES: dict[str, Style] = {
    "new_york": Style(
        Houses(
            walls=hues("8a4a38 74392c 9c5a44 a89478 6d4a3e 8d8478"),
            trim=hues("c8bca6")[0],
            glass=hues("4d6076")[0],
            accents=hues("1f5b3c 7d1f24 23406b 2b2b2b"),
            storeys=(5, 13),
            storey=3.3,
            width=11.0,
            bay=2.7,
            window=(0.46, 0.56),
            extras=frozenset({"brick", "escape", "sills"}),
            ground="shops",
            roof="flat",
            roofing=hues("4a3f3a"),
            crown="tank",
            awning=(0.55, 1.5),
            blades=0.0,
        ),
        Ground(*_four("4a4b4e a3a19c c9c6bf e8e6dd"), 4.6, 4.2, "dashes", False, 0),
        Air(*_three("3f7fcb bcd7ee ffffff"), 3, 170.0),
        _vehicles("car:f4b811 f4b811", "car:f4b811 f4b811", BLACK, GREY, WHITE, "bus:eef1f4 2f62b0 2f62b0"),
        Furniture(
            tree="round", leaves=hues("4d7a3a 5c8a41 41692f"), spacing=19.0, lamp="arm", metal=hues("5c6b62")[0],
            plate=hues("1d6b3f")[0], things=(("hydrant", hues("c0392b")[0]), ("bin", hues("3d4a3f")[0])),
        ),
    ),
    "milan": Style(
        Houses(
            walls=hues("e0a850 d9903f e6be74 cf7a4c dba16b e8cf9a"),
            trim=hues("f1e3c4")[0],
            glass=hues("57584f")[0],
            accents=hues("2f5d3d 3b6b4a 6a4a2f 2a5148"),
            storeys=(3, 4),
            storey=3.6,
            width=14.0,
            bay=3.1,
            window=(0.36, 0.60),
            extras=frozenset({"shutters", "bands", "balconies"}),
            ground="arcade",
            roof="pitched",
            roofing=hues("b5573a a64d33"),
            crown="chimneys",
            awning=(0.25, 1.6),
            blades=0.0,
        ),
        Ground(*_four("8d8379 b9ab98 9b8e7d f3efe6"), 3.9, 3.7, "none", True, 1),
        Air(*_three("5b9bd8 e6e9de ffffff"), 2, 190.0),
        _vehicles("car:f3f3f0 f3f3f0", "tram:e07a1f f1d9ae f1d9ae", SILVER, "car:a52a2a a52a2a", "car:35506e 35506e"),
        Furniture(
            tree="tall", leaves=hues("56752f 6a8a3c 486527"), spacing=34.0, lamp="lantern", metal=hues("2f3b36")[0],
            plate=hues("f2f0e8")[0], things=(("bin", hues("2e6b4f")[0]), ("parasol", hues("f5efe0")[0])),
        ),
    ),
    "new_delhi": Style(
        Houses(
            walls=hues("f2ece0 ecd9c0 e9c9b6 d8cdb8 f0e2b8 c98f72"),
            trim=hues("b5553f")[0],
            glass=hues("5b5148")[0],
            accents=hues("b5303a 2f7f86 d98a24 5a3f7a"),
            storeys=(1, 3),
            storey=3.2,
            width=12.0,
            bay=3.6,
            window=(0.50, 0.46),
            extras=frozenset({"verandas", "shades", "cooling"}),
            ground="stalls",
            roof="flat",
            roofing=hues("d9cfbd"),
            crown="tank",
            awning=(0.6, 1.8),
            blades=0.35,
        ),
        Ground(*_four("7f7a72 b99f78 d8c84a f0ead8"), 5.6, 5.4, "dashes", False, 3),
        Air(*_three("b7c0bf ecdcb8 f5ecd6"), 0, 85.0),
        _vehicles(
            "rickshaw:2d7a45 f2c318", "rickshaw:2d7a45 f2c318", WHITE, "bus:3f8f4f e9e4d0 f2c318", SILVER,
        ),
        Furniture(
            tree="spreading", leaves=hues("3f6b34 51803d 355c2c"), spacing=15.0, lamp="pole", metal=hues("8c8a84")[0],
            plate=hues("f2d24a")[0], things=(("parasol", hues("d04a3a")[0]), ("box", hues("a8763f")[0])),
        ),
    ),
    "buenos_aires": Style(
        Houses(
            walls=hues("e3dccb d6cfc0 c9c3b6 ece4d2 bfb8a8"),
            trim=hues("f8f4e8")[0],
            glass=hues("4a5a66")[0],
            accents=hues("3a3f45 24506b 6b2330 4f4a3a"),
            storeys=(4, 7),
            storey=3.4,
            width=13.0,
            bay=2.6,
            window=(0.48, 0.74),
            extras=frozenset({"bands", "balconies", "rustic"}),
            ground="shops",
            roof="mansard",
            roofing=hues("56616e 4c5763"),
            crown="dish",
            awning=(0.3, 1.3),
            blades=0.1,
        ),
        Ground(*_four("5d5c60 cdbfae a59a8c f2d048"), 4.6, 4.0, "double", False, 0),
        Air(*_three("4fa3e0 cfe6f0 ffffff"), 3, 200.0),
        _vehicles("car:1b1b1d f6cf1c", "car:1b1b1d f6cf1c", "bus:2f57b0 e8e2cf d8342c", WHITE, "car:7a2a2a 7a2a2a"),
        Furniture(
            tree="round", leaves=hues("9a6fc4 8558b3 b08ad4"), spacing=11.0, lamp="globe", metal=hues("30353a")[0],
            plate=hues("23406b")[0], things=(("booth", hues("2f7f4a")[0]), ("bin", hues("e08a24")[0])),
        ),
    ),
    "london": Style(
        Houses(
            walls=hues("a5875f 8f7350 7d4a3a b39a70 98603f"),
            trim=hues("f2efe6")[0],
            glass=hues("3d4650")[0],
            accents=hues("1c2f4a 7a1c22 1f3f2f 191919"),
            storeys=(2, 3),
            storey=3.2,
            width=6.8,
            bay=2.2,
            window=(0.46, 0.64),
            extras=frozenset({"brick", "stucco", "sashes", "sills"}),
            ground="doors",
            roof="pitched",
            roofing=hues("4d525a 5a5654"),
            crown="chimneys",
            awning=(0.0, 0.0),
            blades=0.12,
        ),
        Ground(*_four("55575b 9c9a94 7f7d78 efeee8"), 4.2, 3.6, "dashes", False, 0),
        Air(*_three("98a3ad ced3d5 dfe2e3"), 5, 120.0),
        _vehicles("tall bus:c8161d c8161d", "car:18191b 18191b", "car:18191b 18191b", GREY, "van:f0f0ee e2e2e0"),
        Furniture(
            tree="tall", leaves=hues("5f7d45 6f8c52 50703a"), spacing=26.0, lamp="lantern", metal=hues("1d1f22")[0],
            plate=hues("f5f5f2")[0], things=(("booth", hues("c4121a")[0]), ("box", hues("c4121a")[0])),
        ),
    ),
    "hong_kong": Style(
        Houses(
            walls=hues("b8c4bb c9b9ad a9b5c2 d1c8b4 c2a9a6 9fb0a4"),
            trim=hues("8e9791")[0],
            glass=hues("39505a")[0],
            accents=hues("d81e5b 0f9d8a e8a013 c02a1f 1b6ac9"),
            storeys=(10, 20),
            storey=2.8,
            width=7.4,
            bay=1.9,
            window=(0.60, 0.44),
            extras=frozenset({"cooling", "stains", "columns"}),
            ground="shops",
            roof="flat",
            roofing=hues("6f7772"),
            crown="dish",
            awning=(0.7, 2.2),
            blades=0.75,
        ),
        Ground(*_four("3f4246 8b8780 6d6a64 f2d63a"), 3.6, 3.4, "double", True, 0),
        Air(*_three("8fb3bd dbe4de eef2ee"), 2, 110.0),
        _vehicles(
            "car:cf1f25 f0efea", "car:cf1f25 f0efea", "tram:1e7a4a e9e4cf e9e4cf", "tall bus:e0d9c4 c8161d c8161d",
            "van:f1eed9 c2322a c2322a",
        ),
        Furniture(
            tree="round", leaves=hues("3d7045 4a8051 34603b"), spacing=48.0, lamp="arm", metal=hues("9aa0a0")[0],
            plate=hues("f4f4ee")[0], things=(("bin", hues("e86a17")[0]), ("box", hues("1f7f4a")[0])),
        ),
    ),
    "melbourne": Style(
        Houses(
            walls=hues("d9cdb4 c2573d e2dcca 8f9aa0 b84f3a cfc0a0"),
            trim=hues("fbf8ee")[0],
            glass=hues("465a5e")[0],
            accents=hues("2e5c46 7c2f2a 2b4a66 59636a"),
            storeys=(1, 1),
            storey=3.8,
            width=7.2,
            bay=2.5,
            window=(0.42, 0.62),
            extras=frozenset({"lace", "parapet", "bands"}),
            ground="shops",
            roof="flat",
            roofing=hues("7d8488"),
            crown="chimneys",
            awning=(1.0, 3.0),
            blades=0.0,
        ),
        Ground(*_four("63656a 6b6f78 4d5058 f4f4ef"), 5.4, 3.8, "none", True, 2),
        Air(*_three("2f8fe0 d8ecf6 ffffff"), 4, 220.0),
        _vehicles("tram:1f6b45 f0c93a f0c93a", "tram:f2f2ee 78b833 78b833", SILVER, WHITE, "car:2f5fa8 2f5fa8"),
        Furniture(
            tree="tall", leaves=hues("7f9a72 91a883 6f8a66"), spacing=16.0, lamp="pole", metal=hues("3a5045")[0],
            plate=hues("f4f4ee")[0], things=(("bin", hues("2f7a4a")[0]), ("box", hues("c4221c")[0])),
        ),
    ),
    "lagos": Style(
        Houses(
            walls=hues("e8c24a 5fa8a0 d97b5a efe3c8 8fb56a c9a8c0"),
            trim=hues("f4eedd")[0],
            glass=hues("4d4238")[0],
            accents=hues("c8301f 1e7a4a 1d5fa8 e8a013"),
            storeys=(0, 2),
            storey=3.0,
            width=10.0,
            bay=3.0,
            window=(0.40, 0.42),
            extras=frozenset({"stains", "plinth", "shades"}),
            ground="stalls",
            roof="pitched",
            roofing=hues("a3552f 8f8a84 7f4428"),
            crown="dish",
            awning=(0.5, 2.0),
            blades=0.15,
        ),
        Ground(*_four("a8663a c98a52 b5763f e8d8b8"), 4.4, 4.6, "none", False, 3),
        Air(*_three("a9cfe0 f4eede ffffff"), 3, 150.0),
        _vehicles("van:f5c211 f5c211 1c1c1c", "van:f5c211 f5c211 1c1c1c", "car:d9d4c6 d9d4c6", "car:3d6b4a 3d6b4a"),
        Furniture(
            tree="palm", leaves=hues("4a8a35 5c9c40 3f7a2e"), spacing=17.0, lamp="pole", metal=hues("7a5a3f")[0],
            plate=hues("2f7f4a")[0], things=(("parasol", hues("e0452a")[0]), ("parasol", hues("2a6fd0")[0])),
        ),
    ),
    "san_francisco": Style(
        Houses(
            walls=hues("a8d0d8 f0b8b4 f2dc98 b8d8a8 c8b4dc f4ead8 8fb4d4"),
            trim=hues("fdfbf4")[0],
            glass=hues("5a6b7c")[0],
            accents=hues("7a3b52 2f5a7a 8a5a2f 3f6b58"),
            storeys=(2, 2),
            storey=3.3,
            width=7.6,
            bay=2.5,
            window=(0.52, 0.62),
            extras=frozenset({"bow", "bands", "sashes"}),
            ground="garages",
            roof="gable",
            roofing=hues("6b5f66 5f6b70"),
            crown="",
            awning=(0.1, 1.2),
            blades=0.0,
        ),
        Ground(*_four("6d6f73 c6c4be dedbd4 f2c43a"), 4.8, 3.8, "double", True, 0),
        Air(*_three("a8bccb eef0ee f8f9f8"), 6, 75.0),
        _vehicles("tram:7a2a22 e6cf8a e6cf8a", "car:e05a2a f4f0e6", "car:2f8f9a 2f8f9a", SILVER, WHITE),
        Furniture(
            tree="palm", leaves=hues("5f8a5a 6f9a66 52784d"), spacing=30.0, lamp="globe", metal=hues("4a6f6a")[0],
            plate=hues("fafaf6")[0], things=(("hydrant", hues("f0f0ea")[0]), ("bin", hues("2f6b5a")[0])),
        ),
    ),
}  # fmt: skip


@cache
def style_of(city: str) -> Style:
    """The style of a city of that name. Any other city, such as a map file, has a mix of its own, the same wherever
    the file lies: houses of one of ours, air of another, and so on."""
    if city in STYLES:
        return STYLES[city]
    stream = rng(0, "navigation", "style", Path(city).name)
    return Style(*(getattr(stream.choice(list(STYLES.values())), part.name) for part in fields(Style)))
