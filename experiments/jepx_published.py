"""Curves against the prices that were published: every curve's price, and pairs of groups through the coupled auction.

- `spot_summary_YYYY.csv[.xz]`: date, slot, contract_kwh, system price and nine area prices [JPY/kWh].
- `splitting_areas_*.csv[.xz]`: d (yyyymmdd), slot, seq (number of the group), areas joined by `+`.

Where two groups cover all nine areas, the flow between them is the volume of both less the published contract energy:
each group counts it once, as a purchase at any price where it leaves and as a sale at any price where it arrives.
Taken out of both curves and given back as the capacity of one line, the coupled auction must find both prices and that
flow again. Where both prices are equal the flow is not determined, and only the prices are compared.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np

from experiments.jepx_curves import NATIONAL, CurveFile, curve_prices, read_text
from market.curves import Curves, curve_orders, take_flow
from market.design import find_design
from market.errors import DataError
from market.exchange import trade
from market.grid import Grid, Line
from market.orders import no_orders
from market.units import Int, mjpy_from_jpy, wh_from_kwh

AREAS = ("hokkaido", "tohoku", "tokyo", "chubu", "hokuriku", "kansai", "chugoku", "shikoku", "kyushu")
KINDS = ("system prices", "area prices", "two groups, different prices", "two groups, equal prices")
SHOWN = 5
"""Wrong results that are named."""
PAIR = Grid(("from", "to"), (Line("between", 0, 1),))

Slot = tuple[int, int]


@dataclass
class Proof:
    """How many of each kind came out as published, and the first that did not."""

    right: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    total: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    wrong: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether there was something to compare and all of it is right."""
        return self.right == self.total and any(self.total.values())

    def count(self, kind: str, good: bool, what: str) -> None:
        """Count one comparison."""
        self.total[kind] += 1
        self.right[kind] += good
        if not good and len(self.wrong) < SHOWN:
            self.wrong.append(f"{kind}: {what}")

    def facts(self) -> dict[str, Any]:
        """For JSON: right and total of each kind."""
        counts = {kind: {"right": self.right[kind], "total": self.total[kind]} for kind in KINDS}
        return {**counts, "first_wrong": self.wrong}


@dataclass(frozen=True)
class Published:
    """Published results by date and slot: prices of the system and each area [mJPY/kWh], contract energy [Wh]."""

    prices: dict[Slot, dict[str, int]]
    contract_wh: dict[Slot, int]


def read_published(path: Path) -> Published:
    """A year of published day-ahead results; raises DataError naming file and line."""
    prices: dict[Slot, dict[str, int]] = {}
    contracts: dict[Slot, int] = {}
    for where, row in _rows(path, ("date", "slot", "contract_kwh", "system", *AREAS)):
        try:
            slot = int(row["date"].replace("-", "")), int(row["slot"])
            prices[slot] = {name: mjpy_from_jpy(row[name]) for name in ("system", *AREAS)}
            contracts[slot] = wh_from_kwh(Decimal(row["contract_kwh"]))
        except (ValueError, InvalidOperation) as error:
            raise DataError(
                "a number is missing or cannot be read", where=where, do="give the file as published"
            ) from error
    return Published(prices, contracts)


def read_groups(path: Path) -> dict[Slot, dict[int, tuple[str, ...]]]:
    """Areas of each group, by date and slot; raises DataError naming file and line."""
    groups: dict[Slot, dict[int, tuple[str, ...]]] = {}
    for where, row in _rows(path, ("d", "slot", "seq", "areas")):
        areas = tuple(row["areas"].split("+"))
        numbers = row["d"], row["slot"], row["seq"]
        if not all(number.isdigit() for number in numbers) or not set(areas) <= {*AREAS}:
            raise DataError("not a group of areas", where=where, do=f"areas: {', '.join(AREAS)}")
        day, slot, group = (int(number) for number in numbers)
        groups.setdefault((day, slot), {})[group] = areas
    return groups


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(read_text(path)), restval="")
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise DataError(f"the header lacks {', '.join(missing)}", where=f"{path}: line 1", do="check the file given")
    for row in reader:
        yield f"{path}: line {reader.line_num}", row


def compare_with_published(
    file: CurveFile, published: Published, groups: dict[Slot, dict[int, tuple[str, ...]]]
) -> Proof:
    """Clear every curve, then every slot of two groups as one coupled auction, and hold them against what came out."""
    proof = Proof()
    price, volume = curve_prices(file)
    curve_of: dict[Slot, dict[int, int]] = {}
    for row, (day, slot, group) in enumerate(
        zip(file.date.tolist(), file.slot.tolist(), file.group.tolist(), strict=True)
    ):
        known = _known(published, (day, slot))
        if group != NATIONAL:
            curve_of.setdefault((day, slot), {})[group] = row
        named = ("system",) if group == NATIONAL else _members(groups, (day, slot), group)
        for name in named:
            kind = KINDS[0] if group == NATIONAL else KINDS[1]
            what = f"{day} slot {slot} {name}: {price[row]} instead of {known[name]} mJPY/kWh"
            proof.count(kind, int(price[row]) == known[name], what)
    _compare_pairs(proof, file, published, _pairs(curve_of, groups), volume)
    return proof


def _known(published: Published, slot: Slot) -> dict[str, int]:
    if slot not in published.prices:
        raise DataError(f"no published prices for {slot[0]} slot {slot[1]}", do="give the summary of the same year")
    return published.prices[slot]


def _members(groups: dict[Slot, dict[int, tuple[str, ...]]], slot: Slot, group: int) -> tuple[str, ...]:
    if group not in groups.get(slot, {}):
        raise DataError(
            f"no areas are named for {slot[0]} slot {slot[1]} group {group}", do="give the splitting areas of that time"
        )
    return groups[slot][group]


def _pairs(
    curve_of: dict[Slot, dict[int, int]], groups: dict[Slot, dict[int, tuple[str, ...]]]
) -> Iterator[tuple[Slot, tuple[int, int], tuple[str, str]]]:
    """Slots in which two groups with curves cover all areas: slot, rows of both curves, an area of each."""
    for slot, rows in curve_of.items():
        members = groups[slot]
        if len(members) == 2 and set(rows) == set(members) and {a for m in members.values() for a in m} == {*AREAS}:
            one, other = sorted(members)
            yield slot, (rows[one], rows[other]), (members[one][0], members[other][0])


def _compare_pairs(
    proof: Proof,
    file: CurveFile,
    published: Published,
    pairs: Iterator[tuple[Slot, tuple[int, int], tuple[str, str]]],
    volume: Int,
) -> None:
    """All pairs as markets of one call."""
    rows: list[tuple[int, int]] = []
    flows: list[int] = []
    expected: list[tuple[Slot, int, int]] = []
    for slot, (one, other), (area, another) in pairs:
        prices = published.prices[slot]
        if prices[area] > prices[another]:
            (one, other), (area, another) = (other, one), (another, area)
        rows.append((one, other))
        flows.append(int(volume[one]) + int(volume[other]) - published.contract_wh[slot])
        expected.append((slot, prices[area], prices[another]))
    if not rows:
        return
    price, flow = clear_pairs(file.curves, np.array(rows), np.array(flows))
    for place, (slot, low, high) in enumerate(expected):
        good = price[place].tolist() == [low, high] and (low == high or int(flow[place]) == flows[place])
        what = f"{slot[0]} slot {slot[1]}: {price[place].tolist()}, flow {flow[place]} Wh"
        what += f" instead of {[low, high]}, {flows[place]}"
        proof.count(KINDS[2 if low != high else 3], good, what)


def clear_pairs(curves: Curves, rows: Int, flow_wh: Int) -> tuple[Int, Int]:
    """Couple pairs of curves by a line of the flow that both hold as orders at any price.

    rows (pairs, 2): the curve it leaves and the one it enters; flow_wh (pairs,). Returns prices (pairs, 2) [mJPY/kWh]
    and the flow found (pairs,) [Wh].
    """
    picked = _pick(curves, rows.reshape(-1))
    orders = curve_orders(take_flow(picked, np.stack([flow_wh, -flow_wh], 1).reshape(-1)))
    orders["area"] = orders["market"] % 2
    orders["market"] //= 2
    capacity = np.zeros((len(rows), 1, 2), np.int64)
    capacity[:, 0, 0] = flow_wh
    use, now = np.zeros_like(capacity), np.zeros(1, np.int64)
    outcome = trade(find_design("spot"), PAIR, no_orders(), orders, capacity, use, now)
    assert outcome.price is not None
    return outcome.price, outcome.flow_wh[:, 0, 0] - outcome.flow_wh[:, 0, 1]


def _pick(curves: Curves, which: Int) -> Curves:
    """Some of the curves, in the order given."""
    size = np.diff(curves.start)[which]
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(size)])
    rows = np.arange(start[-1]) + np.repeat(curves.start[which] - start[:-1], size)
    return Curves(start, curves.price[rows], curves.sell[rows], curves.buy[rows])
