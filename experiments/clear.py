"""Clearing a case file: one trade() of all its slots, and what came of it as exact decimals.

What is printed: prices (null without trade), fills, net flows (from `from` to `to`), contracts, welfare at limit
prices, refused orders, parts of blocks filled; for auctions also the price without limits, areas that share a price,
lines that bind and the rent of congested lines.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from experiments.case_nodes import Node, exact
from experiments.cases import BY_SLOT, Case, read_case
from market.blocks import BlockOutcome, trade_blocks
from market.errors import DataError, Refusal
from market.exchange import NO_PRICE, Outcome, trade
from market.orders import ORDER, Kind, Side, no_orders
from market.splitting_report import report_auctions
from market.tables import Table, join_rows

MOST_DIFFERENCES = 20
EXPECTED_KEYS = (*BY_SLOT, "fill_ratio", "fills_kwh", "refused", "welfare_jpy")

Json = dict[str, Any]


@dataclass(frozen=True)
class Cleared:
    """A case, what the engine did with it, and the report of that."""

    case: Case
    outcome: Outcome
    blocks: BlockOutcome | None
    report: Json

    @property
    def ok(self) -> bool:
        """False where something else came out than the file expects."""
        return bool(self.report.get("expected_ok", True))


def clear_case(path: Path) -> Cleared:
    """Read, trade and report a case; `expected_ok` and `differences` where the file says what should come out."""
    case = read_case(path)
    outcome, blocks = trade_case(case)
    report = _report(case, outcome, blocks)
    if case.expected is not None:
        differences = _differences(case, report)
        report |= {"expected_ok": not differences, "differences": differences[:MOST_DIFFERENCES]}
    return Cleared(case, outcome, blocks, report)


def trade_case(case: Case) -> tuple[Outcome, BlockOutcome | None]:
    """All slots of a case in one call of the engine; blocks take part where there are any."""
    use, now = np.zeros_like(case.capacity_wh), np.zeros(1, np.int64)
    limit = case.limit_wh if case.grid.limits else None
    if not len(case.blocks):
        outcome = trade(
            case.design,
            case.grid,
            no_orders(),
            case.orders,
            case.capacity_wh,
            use,
            now,
            limit_wh=limit,
            retail=case.retail,
        )
        return outcome, None
    found = trade_blocks(
        case.design,
        case.grid,
        no_orders(),
        case.orders,
        case.blocks,
        case.capacity_wh,
        use,
        now,
        limit_wh=limit,
        retail=case.retail,
    )
    return found.outcome, found


def _report(case: Case, outcome: Outcome, found: BlockOutcome | None) -> Json:
    areas, lines = case.grid.areas, [line.name for line in case.grid.lines]
    price = np.full((len(case.slots), len(areas)), NO_PRICE) if outcome.price is None else outcome.price
    net = outcome.flow_wh[..., 0] - outcome.flow_wh[..., 1]
    prices = {
        area: {str(slot): _price(price[m, a]) for m, slot in enumerate(case.slots)} for a, area in enumerate(areas)
    }
    flows = {line: {str(slot): _kwh(net[m, n]) for m, slot in enumerate(case.slots)} for n, line in enumerate(lines)}
    report: Json = {
        "prices_jpy_kwh": prices,
        "fills_kwh": _fills(case, outcome, found),
        "flows_kwh": flows,
        "contracts": _contracts(case, outcome),
        "welfare_jpy": exact(_welfare(case, outcome, found), 6),
        "refused": _refused(case, outcome, found),
        "fill_ratio": _ratios(case, found),
    }
    if outcome.price is not None:
        report |= _auction_facts(case, outcome, found)
    if found is not None:
        report["block_search"] = {
            "method": found.search,
            "gap_jpy": None if found.gap_ujpy is None else exact(found.gap_ujpy, 6),
            "rejected_in_the_money": [_id(case, row) for row in case.blocks.table["reference"][found.in_money]],
        }
    return report


def _auction_facts(case: Case, outcome: Outcome, found: BlockOutcome | None) -> Json:
    """Price without limits, areas that share a price, lines and joint limits that are full, and the lines' rent."""
    orders = join_rows(case.orders, accepted_blocks(case, found)) if found else case.orders
    use = np.zeros_like(case.capacity_wh)
    told = report_auctions(case.design, case.grid, orders, outcome, case.capacity_wh, use, case.limit_wh)
    slots = list(zip(map(str, case.slots), told, strict=True))
    return {
        "system_price_jpy_kwh": {slot: _price_or_null(one.system_price) for slot, one in slots},
        "price_groups": {slot: [list(group) for group in one.groups] for slot, one in slots},
        "binding_lines": {slot: list(one.binding) for slot, one in slots},
        "congestion_rent_jpy": {slot: exact(sum(one.rent_ujpy.values()), 6) for slot, one in slots},
    }


def accepted_blocks(case: Case, found: BlockOutcome) -> Table:
    """What blocks trade, as orders at any price of the band."""
    blocks, filled_wh = case.blocks, found.filled_wh
    rows, steps = np.nonzero(filled_wh)
    table = np.zeros(len(rows), ORDER)
    for name in ("side", "area", "world", "party", "reference", "sequence"):
        table[name] = blocks.table[name][rows]
    table["kind"], table["time_in_force"] = Kind.NEW, blocks.table["time_in_force"][rows]
    table["slot"], table["market"] = blocks.table["slot"][rows] + steps, blocks.table["market"][rows] + steps
    low, high = case.design.band_mjpy_kwh
    table["price"] = np.where(table["side"] == int(Side.SELL), low, high)
    table["energy"] = filled_wh[rows, steps]
    return table


def _fills(case: Case, outcome: Outcome, found: BlockOutcome | None) -> Json:
    """Energy of each order that took part, by the order of the file; a block's over its whole run."""
    filled = dict(zip(case.orders["reference"].tolist(), outcome.filled_wh.tolist(), strict=True))
    if found is not None:
        filled |= dict(zip(case.blocks.table["reference"].tolist(), found.filled_wh.sum(1).tolist(), strict=True))
    return {_id(case, row): _kwh(filled[row]) for row in sorted(filled)}


def _ratios(case: Case, found: BlockOutcome | None) -> Json:
    if found is None:
        return {}
    rows = case.blocks.table["reference"].tolist()
    return {_id(case, row): exact(part, 6) for row, part in zip(rows, found.fill_ppm.tolist(), strict=True)}


def _welfare(case: Case, outcome: Outcome, found: BlockOutcome | None) -> int:
    """Value of purchases less cost of sales at limit prices [uJPY]; Python integers over all slots."""
    if found is not None:
        return found.welfare_ujpy
    sign = np.where(case.orders["side"] == int(Side.BUY), 1, -1)
    value = sign * case.orders["price"].astype(np.int64)
    return sum(p * e for p, e in zip(value.tolist(), outcome.filled_wh.tolist(), strict=True))


def _contracts(case: Case, outcome: Outcome) -> list[Json]:
    paths = outcome.paths or case.grid.paths
    return [
        {
            "seller": case.parties[row["seller"]],
            "buyer": case.parties[row["buyer"]],
            "slot": int(row["slot"]),
            "energy_kwh": _kwh(row["energy"]),
            "sell_price_jpy_kwh": _price(row["sell_price"]),
            "buy_price_jpy_kwh": _price(row["buy_price"]),
            "path": _path(case, paths[row["path"]]),
            "sell_order": _id(case, row["sell_reference"]),
            "buy_order": _id(case, row["buy_reference"]),
        }
        for row in outcome.contracts
    ]


def _path(case: Case, steps: tuple[int, ...]) -> list[str]:
    """Lines from seller to buyer; a minus sign before those crossed from `to` to `from`."""
    return [("-" if step < 0 else "") + case.grid.lines[abs(step) - 1].name for step in steps]


def _refused(case: Case, outcome: Outcome, found: BlockOutcome | None) -> list[Json]:
    refused = {refusal.row: refusal.code for refusal in case.refused}
    codes = [(case.orders["reference"], outcome.codes)]
    if found is not None:
        codes.append((case.blocks.table["reference"], found.codes))
    for rows, given in codes:
        refused |= {int(rows[place]): Refusal(int(given[place])) for place in np.flatnonzero(given)}
    return [
        {"id": _id(case, row), "code": code.name, "reason": f"orders[{row}]: {_reason(case, code)}"}
        for row, code in sorted(refused.items())
    ]


def _reason(case: Case, code: Refusal) -> str:
    design = case.design
    low, high = (exact(edge, 3) for edge in design.band_mjpy_kwh)
    return {
        Refusal.NOT_POSITIVE: "energy must be above zero",
        Refusal.OFF_LOT: f"energy is not a whole number of lots of {exact(design.lot_wh, 3)} kWh",
        Refusal.OFF_TICK: f"price is not a whole number of ticks of {exact(design.tick_mjpy_kwh, 3)} JPY/kWh",
        Refusal.OUT_OF_BAND: f"price is outside {low} to {high} JPY/kWh",
        Refusal.TOO_LARGE: "price, energy, or the sum of its side of the slot is beyond what is traded exactly",
        Refusal.UNKNOWN_AREA: f"no such area; areas: {', '.join(case.grid.areas)}",
        Refusal.UNKNOWN_KIND: "side is neither buy nor sell",
        Refusal.CLOSED: "slots are counted from 0",
        Refusal.BEYOND_HORIZON: "the slot is too far away, or the block too long",
        Refusal.DUPLICATE_REFERENCE: "an order with this id was given before",
        Refusal.BLOCK_GAP: "the block's slots do not follow one another with energy in each",
        Refusal.BAD_RATIO: "min_fill_ratio lies outside 0 to 1",
    }.get(code, code.name.lower().replace("_", " "))


def _differences(case: Case, report: Json) -> list[str]:
    """What the file expects and did not come out, one line each; a value left out is null."""
    expected = case.expected
    assert expected is not None
    table = expected.table((), EXPECTED_KEYS)
    out: list[str] = []
    lowest = case.design.pairs == "uniform"
    for name, node in _leaves(table, "price_interval_jpy_kwh", case.grid.areas):
        found = report["prices_jpy_kwh"][name[0]].get(name[1])
        low, high = (_decimal(edge) for edge in node.pair())
        floor = max(low, exact(case.design.band_mjpy_kwh[0], 3)) if low is not None else None
        inside = found is not None and low is not None and high is not None and low <= found <= high
        if not inside or (lowest and found != floor):
            out.append(f"price of {' slot '.join(name)}: {found} where {low} is the lowest of {low} to {high}")
    named = (("prices_jpy_kwh", case.grid.areas), ("flows_kwh", tuple(line.name for line in case.grid.lines)))
    for key, names in named:
        for name, node in _leaves(table, key, names):
            _compare(out, f"{key} of {' slot '.join(name)}", report[key][name[0]].get(name[1]), _decimal(node))
    for key in ("fill_ratio", "fills_kwh"):
        for order, node in table[key].items() if key in table else ():
            if order not in case.ids:
                node.fail(f"unknown order {order!r}", "name an order of this case")
            _compare(out, f"{key} of {order}", report[key].get(order), _decimal(node))
    if "welfare_jpy" in table:
        _compare(out, "welfare_jpy", report["welfare_jpy"], _decimal(table["welfare_jpy"]))
    if "refused" in table:
        wanted = sorted((order, node.text()) for order, node in table["refused"].items())
        given = sorted((row["id"], row["code"]) for row in report["refused"])
        _compare(out, "refused", given, wanted)
    return out


def _leaves(table: dict[str, Node], key: str, names: tuple[str, ...]) -> list[tuple[tuple[str, str], Node]]:
    """Values by name and slot of one entry of `expected`."""
    if key not in table:
        return []
    found = []
    for name, slots in table[key].items():
        if name not in names:
            slots.fail(f"unknown name {name!r}", f"known: {', '.join(names)}")
        found += [((name, str(node.slot_key())), node) for _, node in slots.items()]
    return found


def _compare(out: list[str], what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        out.append(f"{what}: {found} instead of {wanted}")


def _decimal(node: Node) -> Decimal | None:
    if node.value is None or isinstance(node.value, Decimal):
        return node.value
    raise DataError("not a number", where=f"{node.file}: {node.place}", do="write a plain number or null")


def _id(case: Case, row: int) -> str:
    return case.ids[int(row)]


def _kwh(energy_wh: int) -> Decimal:
    return exact(int(energy_wh), 3)


def _price(price: int) -> Decimal | None:
    return None if price == NO_PRICE else exact(int(price), 3)


def _price_or_null(price: int | None) -> Decimal | None:
    return None if price is None else exact(price, 3)
