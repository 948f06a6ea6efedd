"""A market design (制度設計) is a frozen record of choices, registered by name.

- `accepts`: when orders are taken: `rolling` (every step, slots from the gate on), `gate` (every step,
  the gate slot only), `daily` (at 10:00, all of tomorrow), `sessions` (as `daily`, and every step the slots whose
  auction is over), `never`.
- `pairs`: `continuous` (price-time priority, the resting order's price), `uniform` (one price per
  area, the lowest that clears), `at-once` (as `uniform`, prices by the rule), `sessions` (an auction, then continuous),
  `sharing` (in proportion, limit prices not read), `none`.
- `capacity`: `at-contract` (a contract forms only where there is room on the path; paper 1.4),
  `splitting` (implicit auction, 市場分断), `local` (areas do not trade with one another), `none`.
- `rule`: the rule function that does what the choices alone do not say (`market.rules`); empty where they do.
- `claims`: properties the design promises; `check_design` looks for a counterexample to each of them.
"""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from market.errors import ConfigError
from market.units import PPM

if TYPE_CHECKING:
    from market.rules import Rule

Accepts = Literal["rolling", "gate", "daily", "sessions", "never"]
Pairs = Literal["continuous", "uniform", "at-once", "sessions", "sharing", "none"]
Capacity = Literal["at-contract", "splitting", "local", "none"]
Claim = Literal[
    "strongly-budget-balanced",
    "weakly-budget-balanced",
    "individually-rational",
    "rational-against-retail",
    "volume-maximal",
    "permutation-invariant",
    "own-price-monotone",
    "truthful",
]

MOST_ADMINISTRATORS = 255
"""Shares of a secret are numbered by a byte (`ledger.shares`)."""


@dataclass(frozen=True)
class MarketDesign:
    """One market design: what it accepts, how it pairs, where capacity is decided, its grid of numbers.

    Units: lot [Wh], tick and band [mJPY/kWh]; `horizon` is the number of open slots of a rolling
    design (48 x 365 is the paper's year), `netting` lets opposite flows free capacity;
    `arrivals` says whether a step's orders arrive in a drawn order or demand first, so that sellers see and answer it
    (paper 1.4); `margin` says how orders at the clearing price share what is left: by arrival or in proportion (largest
    remainder, ties by arrival); `k_ppm` is where a k-double auction sets its price between the lowest and the highest
    that clear.

    `privacy` is (k, n) where orders stay sealed until k of n administrators open them (`ledger.sealing`), None where
    they are sent open. It says how orders travel, not what they lead to: contracts and payments are the same.
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
    rule: str = ""
    k_ppm: int = PPM // 2
    privacy: tuple[int, int] | None = None

    def with_privacy(self, needed: int, administrators: int) -> "MarketDesign":
        """The same design with orders sealed until `needed` of so many administrators open them.

        Raises ConfigError for an open book, and unless 1 <= needed <= administrators <= 255.
        """
        if self.book == "open":
            what = f"design {self.name!r} has an open book: its orders are shown, not sealed"
            raise ConfigError(what, where="privacy", do="choose an auction, such as call, spot or mcafee")
        if not 1 <= needed <= administrators <= MOST_ADMINISTRATORS:
            what = f"{needed} of {administrators} administrators is not possible"
            raise ConfigError(what, where="privacy", do=f"give 1 <= K <= N <= {MOST_ADMINISTRATORS}")
        return replace(self, privacy=(needed, administrators))

    def with_horizon(self, slots: int) -> "MarketDesign":
        """The same design with another number of open slots."""
        return replace(self, horizon=slots if self.accepts == "rolling" else self.horizon)

    def choices(self) -> dict[str, Any]:
        """The record as plain values, claims sorted, for tables and JSON."""
        return {**asdict(self), "claims": sorted(self.claims)}


_BALANCED: frozenset[Claim] = frozenset({"strongly-budget-balanced", "weakly-budget-balanced"})
_ALWAYS: frozenset[Claim] = _BALANCED | {"individually-rational"}
_BEST: frozenset[Claim] = frozenset({"volume-maximal", "own-price-monotone"})
_PRICE_NOT_READ: frozenset[Claim] = frozenset({"permutation-invariant", "own-price-monotone", "truthful"})
_SHARED: frozenset[Claim] = _BALANCED | _PRICE_NOT_READ | {"rational-against-retail"}
_UNIFORM: frozenset[Claim] = _ALWAYS | _BEST | {"permutation-invariant"}
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
            "dgp-batch",
            "as dgp, but once a step all live orders meet for the largest surplus, at the middle of their limits",
            "rolling",
            "at-once",
            "at-contract",
            _ALWAYS | _BEST,
            rule="dgp-batch",
        ),
        MarketDesign(
            "call",
            "uniform-price auction of each half hour at its gate, areas split where a line is full",
            "gate",
            "uniform",
            "splitting",
            _UNIFORM,
            "sealed",
            horizon=1,
        ),
        MarketDesign(
            "spot",
            "JEPX day-ahead: 48 uniform-price auctions at 10:00, areas split where a line is full",
            "daily",
            "uniform",
            "splitting",
            _UNIFORM,
            "sealed",
            horizon=48,
        ),
        MarketDesign(
            "spot+intraday",
            "spot, and from 17:00 continuous trade of tomorrow until each gate over what room is left",
            "sessions",
            "sessions",
            "splitting",
            _ALWAYS,
            horizon=48,
            rule="spot+intraday",
        ),
        MarketDesign(
            "pay-as-bid",
            "the call auction, but each contract at its seller's own price",
            "gate",
            "at-once",
            "splitting",
            _ALWAYS | _BEST,
            "sealed",
            horizon=1,
            rule="pay-as-bid",
        ),
        MarketDesign(
            "k-double",
            "the call auction, but the price lies k of the way from the lowest to the highest that clear",
            "gate",
            "at-once",
            "splitting",
            _UNIFORM,
            "sealed",
            horizon=1,
            rule="k-double",
        ),
        MarketDesign(
            "mcafee",
            "auction in each area that gives up its marginal trade so that nobody gains by a false price",
            "gate",
            "at-once",
            "local",
            frozenset(
                {
                    "weakly-budget-balanced",
                    "individually-rational",
                    "permutation-invariant",
                    "own-price-monotone",
                    "truthful",
                }
            ),
            "sealed",
            horizon=1,
            rule="mcafee",
        ),
        MarketDesign(
            "mid-market-rate",
            "each area shares its surplus at the middle of tariff and feed-in, in proportion",
            "gate",
            "sharing",
            "local",
            _SHARED,
            "sealed",
            horizon=1,
            rule="mid-market-rate",
        ),
        MarketDesign(
            "supply-demand-ratio",
            "each area shares its surplus at a price that falls from tariff to feed-in as supply grows",
            "gate",
            "sharing",
            "local",
            _SHARED,
            "sealed",
            horizon=1,
            rule="supply-demand-ratio",
        ),
        MarketDesign(
            "bill-sharing",
            "each area nets its energy and shares the bill of what is left",
            "gate",
            "sharing",
            "local",
            _BALANCED | _PRICE_NOT_READ,
            "sealed",
            horizon=1,
            rule="bill-sharing",
        ),
        MarketDesign(
            "retail",
            "no market: the area's retailer supplies at tariff and buys surplus at feed-in",
            "never",
            "none",
            "none",
            _ALWAYS | _SHARED,
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


def register_design(design: MarketDesign, rule: "Rule | None" = None) -> None:
    """Make a user's own design known by its name, and its rule function by the design's `rule`.

    Raises ConfigError when a name is taken, or a rule function is given that the design does not name.
    """
    if design.name in DESIGNS:
        raise ConfigError(f"design {design.name!r} exists already", do="choose another name")
    if rule is not None:
        from market.rules import register_rule

        register_rule(design, rule)
    DESIGNS[design.name] = design
