"""Admission under attack: every kind of bad envelope gets its code, and nothing is changed by any of them."""

from collections import Counter

import pytest

from ledger.forgeries import FORGERIES, attack
from market.errors import Refusal


def test_bad_envelopes_of_every_kind_are_refused_with_the_right_code() -> None:
    """Fifty of each kind; the codes are worked out from the layout, not by the code that admits."""
    sent = attack(50 * len(FORGERIES), seed=1)
    assert [one for one in sent if one.code != one.expected] == []
    assert Counter(one.kind for one in sent) == Counter(dict.fromkeys(FORGERIES, 50))
    codes = {one.code for one in sent}
    assert codes == {code for code in Refusal if Refusal.MALFORMED <= code < Refusal.TOO_FEW_SHARES}


@pytest.mark.slow
def test_a_hundred_thousand_bad_envelopes_are_refused_with_the_right_code() -> None:
    """Several seeds; the command `digitalgrid ledger attack` sends 10,000 of one."""
    for seed in range(10):
        assert [one for one in attack(10_000, seed) if one.code != one.expected] == []
