"""Which problems are for training and which for testing."""

import pytest

from shiftgym.tasks.partition import kind_of

IDENTITIES = [f"problem {number}" for number in range(4000)]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_about_the_share_that_is_asked_for_is_test(share):
    found = [kind_of(identity, share) for identity in IDENTITIES].count("test") / len(IDENTITIES)
    assert found == pytest.approx(share, abs=0.02)
    assert share not in (0.0, 1.0) or found == share


def test_an_identity_has_one_side_and_more_of_them_are_test_under_a_larger_share():
    few, many = ({name for name in IDENTITIES if kind_of(name, share) == "test"} for share in (0.2, 0.4))
    assert few < many
    assert few == {name for name in reversed(IDENTITIES) if kind_of(name, 0.2) == "test"}
