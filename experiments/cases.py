"""Market cases from files (format `digitalgrid-case/1`): a market without a clock, read exactly.

A file that is not a case (a wrong key, type, name of a line's end, number finer than 1 Wh or 0.001 JPY/kWh) stops with
one line that names file and place. An order that is merely bad (zero energy, off tick, unknown area, a block with a
gap, an id given before) is refused with a code, and the rest is traded.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.case_nodes import Node, read_json
from market.blocks import BLOCK, Blocks, check_blocks
from market.design import MarketDesign, find_design
from market.errors import ConfigError, Refusal
from market.grid import Grid, Limit, Line
from market.orders import ORDER, Kind, Side, TimeInForce
from market.tables import Table, pick_rows
from market.units import ENERGY_BOUND, PPM, PRICE_BOUND, Int
from market.validation import check_orders

FORMAT = "digitalgrid-case/1"
NEEDED = ("format", "design", "areas", "lines", "orders")
OPTIONAL = (
    "name",
    "lot_kwh",
    "tick_jpy_kwh",
    "price_band_jpy_kwh",
    "limits",
    "retail_jpy_kwh",
    "expected",
    "source",
    "note",
)
SIDES = {"buy": Side.BUY, "sell": Side.SELL}
NO_SIDE, NO_AREA = 0, 255
MOST_AREAS = 40
MOST_SLOT = (1 << 31) - 1
MOST_RUN = (1 << 16) - 1
LIMIT_BOUND = 1 << 45
"""No sum of line flows comes near it."""
I4 = (1 << 31) - 1


class Refused(NamedTuple):
    """An order that takes no part: its row in the file, its code."""

    row: int
    code: Refusal


@dataclass(frozen=True)
class Case:
    """A case, ready for the engine.

    - ids, parties: names by row in the file (`reference` of orders and blocks) and by party;
    - slots (markets,): delivery slot of each market, ascending;
    - orders, blocks: those that take part; refused: those that do not;
    - capacity_wh (markets, lines, 2), limit_wh (markets, limits), retail (markets, areas, 2) or None;
    - expected: the node of what the file says should come out, or None.
    """

    file: Path
    design: MarketDesign
    grid: Grid
    slots: list[int]
    ids: list[str]
    parties: list[str]
    orders: Table
    blocks: Blocks
    refused: list[Refused]
    capacity_wh: Int
    limit_wh: Int
    retail: Int | None
    expected: Node | None


class _Bid(NamedTuple):
    """One order of the file; run is its energy by slot, min_fill_ppm -1 for a simple order; code 0 when possible."""

    row: int
    party: int
    area: int
    side: int
    price: int
    run: dict[int, int]
    min_fill_ppm: int
    code: int


def read_case(path: Path) -> Case:
    """A case file, checked; raises DataError or ConfigError in one line."""
    root = read_json(path)
    top = root.table(NEEDED, OPTIONAL)
    if top["format"].value != FORMAT:
        top["format"].fail(f"format {top['format'].value!r} is not known", f"write {FORMAT!r}")
    design = _read_design(top)
    grid = _read_grid(top)
    ids, parties, bids = _read_orders(top["orders"], grid)
    extra = [*_named_slots(top), *(slot for bid in bids if bid.code == 0 for slot in bid.run)]
    slots = sorted(set(extra))
    market = {slot: row for row, slot in enumerate(slots)}
    orders, order_codes = _order_table(design, grid, [bid for bid in bids if bid.min_fill_ppm < 0], market)
    blocks, block_codes = _block_table(design, grid, [bid for bid in bids if bid.min_fill_ppm >= 0], market)
    refused = _refused(orders, order_codes) + _refused(blocks.table, block_codes)
    refused += [Refused(bid.row, Refusal(bid.code)) for bid in bids if bid.code and bid.min_fill_ppm >= 0]
    orders, blocks = pick_rows(orders, order_codes == 0), blocks.pick(block_codes == 0)
    live = {int(m) for m in orders["market"]}
    live |= {
        m + step for m, run in zip(blocks.table["market"], blocks.table["slots"], strict=True) for step in range(run)
    }
    return Case(
        path,
        design,
        grid,
        slots,
        ids,
        parties,
        orders,
        blocks,
        sorted(refused),
        _read_capacity(top["lines"], slots, live),
        _read_bounds(top, slots),
        _read_retail(top, grid, slots, live),
        top.get("expected"),
    )


def _read_design(top: dict[str, Node]) -> MarketDesign:
    node = top["design"]
    try:
        design = find_design(node.text())
    except ConfigError as error:
        node.fail(error.what, error.do)
    if design.accepts == "sessions":
        node.fail(f"{design.name!r} has two sessions, a case is one", "write `spot` or `dgp`")
    if "lot_kwh" in top:
        design = replace(design, lot_wh=_positive(top["lot_kwh"], top["lot_kwh"].energy_wh()))
    if "tick_jpy_kwh" in top:
        design = replace(design, tick_mjpy_kwh=_positive(top["tick_jpy_kwh"], top["tick_jpy_kwh"].price_mjpy()))
    if "price_band_jpy_kwh" in top:
        low, high = (max(-I4, min(I4, node.price_mjpy())) for node in top["price_band_jpy_kwh"].pair())
        if low > high:
            top["price_band_jpy_kwh"].fail("the band is empty", "write [lowest, highest]")
        design = replace(design, band_mjpy_kwh=(low, high))
    return design


def _positive(node: Node, number: int) -> int:
    if number <= 0 or number > ENERGY_BOUND:
        node.fail(f"{node.value} is not possible", "give a number above zero")
    return number


def _read_grid(top: dict[str, Node]) -> Grid:
    areas = _distinct(top["areas"].rows(), [node.text() for node in top["areas"].rows()])
    if not 1 <= len(areas) <= MOST_AREAS:
        top["areas"].fail(f"{len(areas)} areas", f"name 1 to {MOST_AREAS}")
    tables = [
        node.table(("id", "from", "to", "forward_kwh", "backward_kwh"), ("note",)) for node in top["lines"].rows()
    ]
    names = _distinct([table["id"] for table in tables], [table["id"].text() for table in tables])
    lines = []
    for name, table in zip(names, tables, strict=True):
        source, target = (_known(table[end], areas, "area") for end in ("from", "to"))
        if source == target:
            table["to"].fail(f"line {name!r} joins {areas[source]!r} to itself", "name two different areas")
        lines.append(Line(name, source, target))
    return Grid(tuple(areas), tuple(lines), _read_limits(top, names))


def _read_limits(top: dict[str, Node], names: list[str]) -> tuple[Limit, ...]:
    if "limits" not in top:
        return ()
    tables = [node.table(("id", "lines", "max_kwh"), ("note",)) for node in top["limits"].rows()]
    limits = []
    for name, table in zip(_distinct([t["id"] for t in tables], [t["id"].text() for t in tables]), tables, strict=True):
        signs = [0] * len(names)
        for line, node in table["lines"].items():
            if line not in names:
                node.fail(f"unknown line {line!r}", f"lines of this case: {', '.join(names) or 'none'}")
            if node.whole(0, "1") not in (1, -1):
                node.fail("not a sign", "write 1 or -1")
            signs[names.index(line)] = node.whole(0, "1")
        most = min(table["max_kwh"].not_negative(3, "1 Wh"), LIMIT_BOUND)
        limits.append(Limit(name, tuple(signs), most))
    return tuple(limits)


def _distinct(nodes: Iterable[Node], names: list[str]) -> list[str]:
    seen: set[str] = set()
    for node, name in zip(nodes, names, strict=True):
        if name in seen:
            node.fail(f"{name!r} stands more than once", "give each a name of its own")
        seen.add(name)
    return names


def _known(node: Node, names: list[str], what: str) -> int:
    name = node.text()
    if name not in names:
        node.fail(f"unknown {what} {name!r}", f"{what}s of this case: {', '.join(names)}")
    return names.index(name)


def _read_orders(node: Node, grid: Grid) -> tuple[list[str], list[str], list[_Bid]]:
    """Ids by row, parties by first appearance, and the bids; an id given before is refused."""
    ids: list[str] = []
    seen: set[str] = set()
    parties: dict[str, int] = {}
    areas = {name: row for row, name in enumerate(grid.areas)}
    bids = []
    for row, entry in enumerate(node.rows()):
        fields = ("id", "party", "area", "side", "price_jpy_kwh")
        table = entry.table(fields, ("slot", "energy_kwh", "block", "note"))
        ids.append(table["id"].text())
        party = parties.setdefault(table["party"].text(), len(parties))
        run, least, code = _read_run(entry, table)
        if ids[row] in seen and code == 0:
            code = Refusal.DUPLICATE_REFERENCE
        seen.add(ids[row])
        area, side = areas.get(table["area"].text(), NO_AREA), int(SIDES.get(table["side"].text(), NO_SIDE))
        price = max(-PRICE_BOUND, min(PRICE_BOUND, table["price_jpy_kwh"].price_mjpy()))
        bids.append(_Bid(row, party, area, side, price, run, least, int(code)))
    return ids, list(parties), bids


def _read_run(entry: Node, table: dict[str, Node]) -> tuple[dict[int, int], int, int]:
    """Energy by slot, smallest fill of a block (-1 for a simple order), and a code that its slots give."""
    if ("block" in table) == ("slot" in table or "energy_kwh" in table):
        entry.fail("neither a simple order nor a block", "give slot and energy_kwh, or block")
    if "block" not in table:
        table = entry.table(("id", "party", "area", "side", "price_jpy_kwh", "slot", "energy_kwh"), ("note",))
        slot = table["slot"].whole(0, "one slot")
        return {slot: _bounded(table["energy_kwh"])}, -1, _slot_code(slot, slot)
    block = table["block"].table(("profile_kwh", "min_fill_ratio"))
    run = {node.slot_key(): _bounded(node) for _, node in block["profile_kwh"].items()}
    least = min(max(block["min_fill_ratio"].whole(6, "0.000001"), 0), PPM + 1)
    if block["min_fill_ratio"].whole(6, "0.000001") < 0:
        least = PPM + 1
    if not run:
        return run, least, Refusal.NOT_POSITIVE
    code = _slot_code(min(run), max(run))
    gap = max(run) - min(run) + 1 > len(run)
    return run, least, code or (Refusal.BLOCK_GAP if gap else Refusal.ADMITTED)


def _bounded(node: Node) -> int:
    return max(-ENERGY_BOUND, min(ENERGY_BOUND, node.energy_wh()))


def _slot_code(first: int, last: int) -> int:
    """Gates are open, but the calendar begins at 0 and ends where a slot fits no longer."""
    if first < 0:
        return Refusal.CLOSED
    return Refusal.BEYOND_HORIZON if last > MOST_SLOT or last - first >= MOST_RUN else Refusal.ADMITTED


def _order_table(
    design: MarketDesign, grid: Grid, bids: list[_Bid], market: dict[int, int]
) -> tuple[Table, np.ndarray[tuple[int], np.dtype[np.uint8]]]:
    table = np.zeros(len(bids), ORDER)
    slots = [next(iter(bid.run)) for bid in bids]
    table["kind"], table["time_in_force"] = Kind.NEW, TimeInForce.UNTIL_GATE
    table["slot"] = [slot if 0 <= slot <= MOST_SLOT else 0 for slot in slots]
    table["market"] = [market.get(slot, 0) for slot in slots]
    table["energy"] = [next(iter(bid.run.values())) for bid in bids]
    for name in ("side", "area", "price", "party"):
        table[name] = [getattr(bid, name) for bid in bids]
    table["reference"] = table["sequence"] = [bid.row for bid in bids]
    return table, check_orders(design, grid, table, np.array([bid.code for bid in bids], np.uint8))


def _block_table(
    design: MarketDesign, grid: Grid, bids: list[_Bid], market: dict[int, int]
) -> tuple[Blocks, np.ndarray[tuple[int], np.dtype[np.uint8]]]:
    """Blocks without a gap, and their codes; those with one have theirs already."""
    whole = [bid for bid in bids if bid.code == 0]
    table = np.zeros(len(whole), BLOCK)
    profile = np.zeros((len(whole), max([1, *(len(bid.run) for bid in whole)])), np.int64)
    table["time_in_force"] = TimeInForce.UNTIL_GATE
    for row, bid in enumerate(whole):
        first = min(bid.run)
        table["slot"][row], table["slots"][row], table["market"][row] = first, len(bid.run), market[first]
        profile[row, : len(bid.run)] = [bid.run[first + step] for step in range(len(bid.run))]
    for name in ("side", "area", "price", "party", "min_fill_ppm"):
        table[name] = [getattr(bid, name) for bid in whole]
    table["reference"] = table["sequence"] = [bid.row for bid in whole]
    blocks = Blocks(table, profile)
    return blocks, check_blocks(design, grid, blocks) if whole else np.zeros(0, np.uint8)


def _refused(table: Table, codes: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> list[Refused]:
    return [Refused(int(table["reference"][row]), Refusal(int(codes[row]))) for row in np.flatnonzero(codes)]


def _named_slots(top: dict[str, Node]) -> list[int]:
    """Slots that are named outside the orders: they are reported too."""
    named = [
        line.table(("id", "from", "to", "forward_kwh", "backward_kwh"), ("note",))[way]
        for line in top["lines"].rows()
        for way in ("forward_kwh", "backward_kwh")
    ]
    by_area = [top["retail_jpy_kwh"]] if "retail_jpy_kwh" in top else []
    if "expected" in top and isinstance(top["expected"].value, dict):
        by_area += [node for key, node in top["expected"].items() if key in BY_SLOT]
    named += [node for table in by_area for _, node in table.items()]
    slots = [key.slot_key() for node in named if isinstance(node.value, dict) for _, key in node.items()]
    return [slot for slot in slots if slot <= MOST_SLOT]


BY_SLOT = ("price_interval_jpy_kwh", "prices_jpy_kwh", "flows_kwh")
"""Entries of `expected` that are given by name and slot."""


def _read_capacity(lines: Node, slots: list[int], live: set[int]) -> Int:
    """Room of each line in each market; a slot with orders needs a number."""
    rows = lines.rows()
    capacity = np.zeros((len(slots), len(rows), 2), np.int64)
    for line, node in enumerate(rows):
        table = dict(node.items())
        for way, key in enumerate(("forward_kwh", "backward_kwh")):
            capacity[:, line, way] = _by_slot(table[key], slots, live)
    return capacity


def _by_slot(node: Node, slots: list[int], live: set[int]) -> list[int]:
    if not isinstance(node.value, dict):
        return [min(node.not_negative(3, "1 Wh"), ENERGY_BOUND)] * len(slots)
    given = {entry.slot_key(): min(entry.not_negative(3, "1 Wh"), ENERGY_BOUND) for _, entry in node.items()}
    for market in sorted(live):
        if slots[market] not in given:
            node.fail(f"no capacity for slot {slots[market]}", "give one for every slot with orders, or one number")
    return [given.get(slot, 0) for slot in slots]


def _read_bounds(top: dict[str, Node], slots: list[int]) -> Int:
    limits = top["limits"].rows() if "limits" in top else []
    bounds = [min(dict(node.items())["max_kwh"].not_negative(3, "1 Wh"), LIMIT_BOUND) for node in limits]
    return np.tile(np.array(bounds, np.int64), (len(slots), 1))


def _read_retail(top: dict[str, Node], grid: Grid, slots: list[int], live: set[int]) -> Int | None:
    """What the retailer asks and pays in each area and slot: [supply, feed_in] [mJPY/kWh]."""
    if "retail_jpy_kwh" not in top:
        return None
    retail = np.zeros((len(slots), len(grid.areas), 2), np.int64)
    tables = top["retail_jpy_kwh"].table(grid.areas)
    for area, name in enumerate(grid.areas):
        given = {entry.slot_key(): entry.pair() for _, entry in tables[name].items()}
        for market, slot in enumerate(slots):
            if slot in given:
                retail[market, area] = [max(-PRICE_BOUND, min(PRICE_BOUND, n.price_mjpy())) for n in given[slot]]
            elif market in live:
                tables[name].fail(f"no prices for slot {slot}", "give [supply, feed_in] for every slot with orders")
    return retail
