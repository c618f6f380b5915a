"""Nine cities, the same on every machine."""

import gzip

import pytest

from shiftgym.errors import ConfigError, DataError
from shiftgym.tasks.navigation.world.cities import MAKERS, load_city

FINGERPRINTS = {
    "new_york": "cfbaf922b1b31dc63ec6b6f6cd524a95fae819e36bacc8227a4495215d183c09",
    "milan": "90cf5aa9a076c442ee083f2d35fe2ae9827682f83800fbbdf599e3270f62ac91",
    "new_delhi": "9f3b34c56dd0f55528ad63373094ea93f21a6b79ba802ffb3ccf7a1a3945b7d4",
    "buenos_aires": "9b53cf026d6ac9c91929311029a4117b4baaadd203d68096588a8ae3696ffdf1",
    "london": "8ce759a776e86ae759e9674760e2add7998ece88afd9dccbf7d638317b23361e",
    "hong_kong": "01302a08f851269fee66685ed2981d8bede436a8ddc60ea9d6d070f1bb4e1f58",
    "melbourne": "0787611c61dc0f36bd465dd4c8e2821799439c6f6bb80f4799cf0a694fede523",
    "lagos": "f8c43f01338a87527557b307dcb835b4e8f0ece9dd303f2c303e71f042f0fe53",
    "san_francisco": "bdd824adebbe3f6ebae5c1288c56da091a61aa72a358f5efe9bf2aca1900d411",
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_seed_gives_the_same_city(name):
    assert load_city(name).fingerprint() == FINGERPRINTS[name]
    assert load_city(name, seed=1).fingerprint() != FINGERPRINTS[name]


def test_cities_are_of_different_make():
    """The share of streets in each of the eight directions, and how long they are, tell every two cities apart."""

    def make(name):
        graph = load_city(name).graph
        headings = [street["heading"] % 90 // 15 for _, _, street in graph.edges(data=True)]
        lengths = sorted(street["length"] for _, _, street in graph.edges(data=True))
        return [headings.count(k) / len(headings) for k in range(6)] + [lengths[len(lengths) // 2] / 300]

    makes = {name: make(name) for name in MAKERS}
    for a in makes:
        for b in makes:
            assert a == b or sum(abs(x - y) for x, y in zip(makes[a], makes[b], strict=True)) > 0.05, (a, b)


def test_new_york_is_rotated_by_29_degrees():
    headings = {street["heading"] for _, _, street in load_city("new_york").graph.edges(data=True)}
    assert all(min(abs(heading - known) for known in (29, 119, 209, 299)) < 0.5 for heading in headings)


def test_an_unknown_city_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'london'"):
        load_city("londn")


def test_a_file_in_the_working_folder_is_no_misspelt_city(tmp_path, monkeypatch):
    (tmp_path / "town.osm.gz").write_bytes(gzip.compress(b"<osm/>"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"town.osm.gz.*packed \(gzip\); unpack it first"):
        load_city("town.osm.gz")
