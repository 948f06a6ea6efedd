"""Plain rows say what the run recorded."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from ledger.exporting import COLUMNS, export_rows
from ledger.proofs import find_record, places
from ledger.records import RecordType
from market.settlement import PostingKind
from market.slots import HALF_HOURS
from tests.ledger.small_world import ACCOUNTS, SLOTS, START, SmallRun


def test_rows_are_those_of_the_run(tmp_path: Path) -> None:
    """Orders with their refusals, contracts in order of formation, postings that sum to zero, readings."""
    run = SmallRun([5], "full", tmp_path).run()
    world = tmp_path / "world-0000"
    tables: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, row in export_rows(world):
        assert tuple(row) == COLUMNS[name]
        tables[name].append(row)
    assert set(tables) == set(COLUMNS) - {"sealed"}
    codes = np.concatenate([step.codes for step in run.steps])
    orders = np.concatenate([step.orders for step in run.steps])
    assert [row["refused"] == "" for row in tables["orders"]] == (codes == 0).tolist()
    assert [row["energy_wh"] for row in tables["orders"]] == orders["energy"].tolist()
    assert [row["slot"] for row in tables["orders"]] == [HALF_HOURS.label(int(slot)) for slot in orders["slot"]]
    formed = np.concatenate([run.keeper.worlds.opening, *(step.contracts for step in run.steps)])
    assert [row["energy_wh"] for row in tables["contracts"]] == formed["energy"].tolist()
    assert [row["buyer"] for row in tables["contracts"]] == [ACCOUNTS.party_names[who] for who in formed["buyer"]]
    assert [row["number"] for row in tables["contracts"]] == list(range(len(formed)))
    metered = np.concatenate([step.reading[0] for step in run.steps])
    assert [row["metered_wh"] for row in tables["readings"]] == metered.tolist()
    money = sum(step.money[0] for step in run.steps)
    for account in ACCOUNTS.names:
        for kind in PostingKind:
            rows = [row for row in tables["postings"] if (row["account"], row["kind"]) == (account, kind.name.lower())]
            assert sum(row["amount_ujpy"] for row in rows) == money[ACCOUNTS.names.index(account), kind]
    assert {row["slot"] for row in tables["readings"]} == {HALF_HOURS.label(START + step) for step in range(SLOTS)}


def test_an_exported_order_leads_to_the_record_that_proves_it(tmp_path: Path) -> None:
    """Column `record` is the leaf of its envelope."""
    SmallRun([5], "full", tmp_path).run()
    world = tmp_path / "world-0000"
    kinds = {place.index: kind for place, kind, _ in places(world)}
    orders = [row for name, row in export_rows(world) if name == "orders"]
    assert {kinds[row["record"]] for row in orders} == {RecordType.ENVELOPE}
    assert find_record(world, str(orders[0]["record"])).index == orders[0]["record"]
