"""A market design (制度設計) is a frozen record of choices, registered by name.

- `accepts`: when orders are taken: `rolling` (every step, slots from the gate on), `gate` (every step,
  the gate slot only), `daily` (at 10:00, all of tomorrow), `never`.
- `pairs`: `continuous` (price-time priority, the resting order's price), `uniform` (one price per
  area, the lowest that clears), `none`.
- `capacity`: `at-contract` (a contract forms only where there is room on the path; paper 1.4),
  `splitting` (implicit auction, 市場分断), `none`.
- `claims`: properties the design promises; `check_design` proves each of them on random markets.
"""

from dataclasses import dataclass, replace
from typing import Literal

from market.errors import ConfigError

Accepts = Literal["rolling", "gate", "daily", "never"]
Pairs = Literal["continuous", "uniform", "none"]
Capacity = Literal["at-contract", "splitting", "none"]
Claim = Literal["budget-balanced", "individually-rational", "volume-maximal", "permutation-invariant"]


@dataclass(frozen=True)
class MarketDesign:
    """One market design: what it accepts, how it pairs, where capacity is decided, its grid of numbers.

    Units: lot [Wh], tick and band [mJPY/kWh]; `horizon` is the number of open slots of a rolling
    design (48 x 365 is the paper's year), `netting` lets opposite flows free capacity;
    `arrivals` says whether a step's orders arrive in a drawn order or demand first, so that sellers see and answer it
    (paper 1.4); `margin` says how orders at the clearing price share what is left: by arrival or in proportion (largest
    remainder, ties by arrival).
    """

    name: str
    summary: str
    accepts: Accepts
    pairs: Pairs
    capacity: Capacity
    claims: frozenset[Claim] = frozenset()
    book: Literal["open", "sealed"] = "open"
    netting: bool = True
    margin: Literal["sequence", "pro-rata"] = "sequence"
    arrivals: Literal["drawn", "demand-first"] = "drawn"
    lot_wh: int = 1
    tick_mjpy_kwh: int = 10
    band_mjpy_kwh: tuple[int, int] = (10, 999_990)
    horizon: int = 4

    def with_horizon(self, slots: int) -> "MarketDesign":
        """The same design with another number of open slots."""
        return replace(self, horizon=slots if self.accepts == "rolling" else self.horizon)


_ALWAYS: frozenset[Claim] = frozenset({"budget-balanced", "individually-rational"})
DESIGNS: dict[str, MarketDesign] = {
    design.name: design
    for design in (
        MarketDesign(
            "dgp",
            "year-ahead continuous peer-to-peer trade, line capacity committed at contract time (paper 1.4)",
            "rolling",
            "continuous",
            "at-contract",
            _ALWAYS,
        ),
        MarketDesign(
            "call",
            "uniform-price auction of each half hour at its gate, areas split where a line is full",
            "gate",
            "uniform",
            "splitting",
            _ALWAYS | {"volume-maximal", "permutation-invariant"},
            "sealed",
            horizon=1,
        ),
        MarketDesign(
            "spot",
            "JEPX day-ahead: 48 uniform-price auctions at 10:00, areas split where a line is full",
            "daily",
            "uniform",
            "splitting",
            _ALWAYS | {"volume-maximal", "permutation-invariant"},
            "sealed",
            horizon=48,
        ),
        MarketDesign(
            "retail",
            "no market: the area's retailer supplies at tariff and buys surplus at feed-in",
            "never",
            "none",
            "none",
            _ALWAYS,
            "sealed",
            horizon=1,
        ),
    )
}


def find_design(name: str) -> MarketDesign:
    """The registered design of that name; raises ConfigError naming the known ones."""
    if name not in DESIGNS:
        raise ConfigError(f"unknown design {name!r}", do=f"choose one of {', '.join(sorted(DESIGNS))}")
    return DESIGNS[name]


def register_design(design: MarketDesign) -> None:
    """Make a user's own design known by its name; raises ConfigError when the name is taken."""
    if design.name in DESIGNS:
        raise ConfigError(f"design {design.name!r} exists already", do="choose another name")
    DESIGNS[design.name] = design
