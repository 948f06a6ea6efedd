"""Line outages (系統事故・作業停止): announced capacities, and what contracts that stand must give up for them.

An announcement lowers the capacity of lines in slots whose gates are still open; slots behind the gate are the area
operators' to balance, their contracts stand. Contracts over what is then too full are curtailed (`market.curtailment`),
taken out of positions and postings, and both parties paid from the account `line_outage`. Whoever ran the market and
whoever derives it again call the same function, `respond`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from market.contracts import no_contracts
from market.curtailment import compensation, curtail, keep_rest, prices_instead, take_back
from market.design import MarketDesign
from market.settlement import Accounts
from market.tables import Field, Schema, Table, join_rows, memory_dtype, pick_rows, wire_dtype
from market.units import Int

NOTICE_FIELDS: Schema = (
    Field("line", "i4", ">u2", "", "row of the line in the grid"),
    Field("slot", "i4", ">u4", "slot", "delivery half hour"),
    Field("forward", "i8", ">u8", "Wh", "capacity from source to target from now on"),
    Field("backward", "i8", ">u8", "Wh", "capacity from target to source from now on"),
    Field("world", "i4", "", "", "parallel world"),
)
NOTICE, NOTICE_WIRE = memory_dtype(NOTICE_FIELDS), wire_dtype(NOTICE_FIELDS)

CURTAILED_FIELDS: Schema = (
    Field("number", "i8", ">u4", "", "place of the contract among all of its world, in order of formation, from 0"),
    Field("energy", "i8", ">u8", "Wh", "energy taken off the contract, > 0"),
    Field("buyer_ujpy", "i8", ">i8", "uJPY", "what the buyer gets from line_outage"),
    Field("seller_ujpy", "i8", ">i8", "uJPY", "what the seller gets from line_outage"),
    Field("world", "i4", "", "", "parallel world"),
)
CURTAILED, CURTAILED_WIRE = memory_dtype(CURTAILED_FIELDS), wire_dtype(CURTAILED_FIELDS)


def no_notices() -> Table:
    """An empty table of capacities."""
    return np.zeros(0, NOTICE)


def no_curtailed() -> Table:
    """An empty table of curtailed contracts."""
    return np.zeros(0, CURTAILED)


@dataclass(frozen=True)
class Standing:
    """Contracts over lines that stand, with what is left of their energy, and their numbers (contracts,)."""

    contracts: Table
    number: Int

    @classmethod
    def none(cls) -> "Standing":
        """No contracts yet."""
        return cls(no_contracts(), np.zeros(0, np.int64))

    def add(self, contracts: Table, number: Int) -> "Standing":
        """These and those that run over a line."""
        over = contracts["path"] > 0
        return Standing(
            join_rows(self.contracts, pick_rows(contracts, over)), np.concatenate([self.number, number[over]])
        )

    def keep(self, where: npt.NDArray[np.bool_]) -> "Standing":
        """Those of a mask."""
        return Standing(pick_rows(self.contracts, where), self.number[where])


@dataclass(frozen=True)
class Response:
    """What an announcement causes.

    - curtailed: CURTAILED rows, by world, then number;
    - taken_back: contract rows with energy below zero, to enter into positions and postings, in the same order;
    - standing: what stands afterwards;
    - flow_wh (markets, lines, 2): committed use afterwards [Wh].
    """

    curtailed: Table
    taken_back: Table
    standing: Standing
    flow_wh: Int

    def payments(self) -> tuple[Int, Int, Int]:
        """Rows of `taken_back`, parties and amounts [uJPY] of what `line_outage` pays, (n,) each."""
        row = np.tile(np.arange(len(self.curtailed)), 2)
        party = np.concatenate([self.taken_back["buyer"], self.taken_back["seller"]]).astype(np.int64)
        amount = np.concatenate([self.curtailed["buyer_ujpy"], self.curtailed["seller_ujpy"]])
        return row, party, amount


def respond(
    design: MarketDesign,
    standing: Standing,
    capacity_wh: Int,
    flow_wh: Int,
    retail: Int,
    fuel: Int,
    accounts: Accounts,
) -> Response:
    """Curtail contracts that stand until flows fit the capacities, and say what makes their parties whole.

    Args:
        design: the rules.
        standing: contracts over lines whose gates are open.
        capacity_wh: (markets, lines, 2) room of each line, as announced [Wh].
        flow_wh: (markets, lines, 2) committed use [Wh].
        retail: (markets, areas, 2) what a contract has to beat, `Terms.outside_options` [mJPY/kWh].
        fuel: (parties,) fuel price of an export [mJPY/kWh].
        accounts: parties and areas.
    """
    contracts = standing.contracts
    result = curtail(design, accounts.grid, contracts, capacity_wh, flow_wh)
    made_whole = compensation(contracts, result.cut_wh, prices_instead(contracts, retail, fuel, accounts))
    rows = np.flatnonzero(result.cut_wh)
    rows = rows[np.lexsort((standing.number[rows], contracts["world"][rows]))]
    curtailed = np.zeros(len(rows), CURTAILED)
    curtailed["world"], curtailed["number"] = contracts["world"][rows], standing.number[rows]
    curtailed["energy"] = result.cut_wh[rows]
    curtailed["buyer_ujpy"], curtailed["seller_ujpy"] = made_whole[rows].T
    rest = Standing(keep_rest(contracts, result.cut_wh), standing.number[contracts["energy"] > result.cut_wh])
    return Response(curtailed, take_back(pick_rows(contracts, rows), result.cut_wh[rows]), rest, result.flow_wh)


def leave_curtailed(contracts: Table, curtailed: Table) -> Table:
    """Every contract of one world in order of formation, with what outages left of it; those cut wholly are gone."""
    cut = np.zeros(len(contracts), np.int64)
    np.add.at(cut, curtailed["number"], curtailed["energy"])
    return keep_rest(contracts, cut)
