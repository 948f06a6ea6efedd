"""A ledger in plain data."""

import json
from pathlib import Path

from ledger.showing import show
from tests.ledger.small_world import ACCOUNTS, SmallRun


def test_every_record_is_shown_in_plain_data(tmp_path: Path) -> None:
    """What is shown is what the run recorded, and can be written as JSON."""
    run = SmallRun([5], "full", tmp_path, noise={(0, 0): b"noise"}).run()
    records = list(show(tmp_path / "world-0000"))
    assert json.loads(json.dumps(records)) == records
    assert [record["type"] for record in records[:4]] == ["genesis", "members", "calendar", "opening"]
    assert records[-1]["type"] == "end"
    steps = [record for record in records if record["type"] == "step"]
    for shown, step in zip(steps, run.steps, strict=True):
        assert shown["orders"] == len(step.orders)
        assert [c["energy_wh"] for c in shown["contracts"]] == step.contracts["energy"].tolist()
        assert list(shown["reading_wh"].values()) == step.reading[0].tolist()
        assert sum(shown["money_ujpy"].values()) == 0
        assert [e["code"] for e in shown["refused_envelopes"]] == ["MALFORMED"]
    envelopes = [record for record in records if record["type"] == "envelope"]
    assert {envelope["party"] for envelope in envelopes} == set(ACCOUNTS.party_names)
    assert sum(len(e["refused"]) for e in envelopes) == sum(int((s.codes != 0).sum()) for s in run.steps)
