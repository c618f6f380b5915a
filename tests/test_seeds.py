"""Named random streams."""

from shiftgym.seeds import derive, rng


def test_a_seed_is_the_same_on_every_machine():
    """Fixed for ever: another value here would change every problem and every result."""
    assert derive(0, "points", "train", 7) == 5384244050117435454


def test_every_name_and_its_type_and_its_position_count():
    streams = [(0,), (1,), (0, "a"), (0, "b"), (0, "a", "b"), (0, "b", "a"), (0, "ab"), (0, 1), (0, "1"), (0, "a", 1)]
    assert len({derive(*names) for names in streams}) == len(streams)
    assert all(0 <= derive(*names) < 2**63 for names in streams)


def test_neighbouring_streams_share_nothing():
    drawn = [rng(0, "test", index).random() for index in range(1000)]
    assert len(set(drawn)) == 1000
    assert not set(drawn) & {rng(1, "test", index).random() for index in range(1000)}
    assert drawn[3] == rng(0, "test", 3).random()
