"""Findings: what a report can show, as plain records that go to and from JSON.

Every section may be empty; the report then leaves it out. Money is JPY a day unless said, energy kWh a day; a cost is
what is paid less what is earned, a gain is cost avoided against truthful bidders on the same held-out days.
"""

from dataclasses import dataclass
from pathlib import Path

from market.errors import ConfigError

FINDINGS_FILE = "report.json"


@dataclass(frozen=True)
class Estimate:
    """A mean and its interval; without bounds where only one value exists."""

    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Fact:
    """One line of what was run."""

    name: str
    text: str


@dataclass(frozen=True)
class Check:
    """One thing that was verified, and how that went."""

    name: str
    ok: bool
    text: str


@dataclass(frozen=True)
class LearningCurve:
    """Held-out gain of a role's policy while it learned.

    Attributes:
        role: who learned, as printed: `homes`, `mall`.
        x_name: meaning and unit of `x`: `training time [s]`.
        x: ascending.
        gain_jpy_day: gain at each `x`, mean per party of the role.
        baselines: gain of other bidders by name: `best fixed mark-up`; truthful is zero and always drawn.
    """

    role: str
    x_name: str
    x: tuple[float, ...]
    gain_jpy_day: tuple[Estimate, ...]
    baselines: dict[str, float]


@dataclass(frozen=True)
class DesignResult:
    """One market design over the same days.

    Attributes:
        design: its name.
        bidders: `truthful`, `trained`, ...: who bid.
        price_jpy_kwh: mean price by area of what was bought there, or else sold; None where nothing was.
        traded_kwh_day: free contracts.
        split_share: share of half hours with a full line.
        cancelled_kwh_day: traded without limits less traded with them; None where the design does not split.
        never_formed_kwh_day: energy that found no room at contract time; None where capacity is not taken then.
        rent_jpy_day: congestion rent.
        cost_jpy_day: by role as printed.
        imbalance_kwh_day: short and long.
        last_resort_kwh_day: supplied and taken by retailers.
    """

    design: str
    bidders: str
    price_jpy_kwh: dict[str, float | None]
    traded_kwh_day: float
    split_share: float
    cancelled_kwh_day: float | None
    never_formed_kwh_day: float | None
    rent_jpy_day: float
    cost_jpy_day: dict[str, float]
    imbalance_kwh_day: float | None = None
    last_resort_kwh_day: float | None = None


@dataclass(frozen=True)
class TrainedResult:
    """A trained role against truthful bidders and the best fixed mark-up, on held-out days.

    Attributes:
        role: who was trained, as printed.
        setting: what the others did: `others truthful`, `all trained`.
        wear_jpy_kwh: battery wear counted.
        truthful_cost_jpy_day: cost per party of the role when it bids truthfully.
        mark_up: the best fixed mark-up found, `markup:0.6`.
        mark_up_gain: its gain.
        trained_gain: gain of the trained policy.
        seeds: number of training seeds behind it.
    """

    role: str
    setting: str
    wear_jpy_kwh: float
    truthful_cost_jpy_day: float
    mark_up: str
    mark_up_gain: Estimate
    trained_gain: Estimate
    seeds: int = 1

    @property
    def ratio(self) -> float | None:
        """Trained gain over the mark-up's; None where the mark-up gains nothing."""
        return self.trained_gain.mean / self.mark_up_gain.mean if self.mark_up_gain.mean > 0 else None


@dataclass(frozen=True)
class PartyMoney:
    """One party's cost with truthful and with trained bidders, and what it traded in the latter case.

    Attributes:
        case: rows of one case stand together: `homes trained, wear 0`.
        name, role: the party; system accounts have role `system`.
        truthful_jpy_day, trained_jpy_day: cost; negative is earned.
        gross_kwh_day: bought plus sold.
        net_kwh_day: metered import less export.
        short_kwh_day, long_kwh_day: imbalance.
    """

    case: str
    name: str
    role: str
    truthful_jpy_day: float
    trained_jpy_day: float
    gross_kwh_day: float | None = None
    net_kwh_day: float | None = None
    short_kwh_day: float | None = None
    long_kwh_day: float | None = None


@dataclass(frozen=True)
class Findings:
    """Everything a report says beside its pictures of one run."""

    title: str
    headline: str
    facts: tuple[Fact, ...] = ()
    checks: tuple[Check, ...] = ()
    designs: tuple[DesignResult, ...] = ()
    trained: tuple[TrainedResult, ...] = ()
    curves: tuple[LearningCurve, ...] = ()
    parties: tuple[PartyMoney, ...] = ()
    limits: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


def write_findings(findings: Findings, folder: Path) -> None:
    """Leave the findings in a run folder, where `report` looks for them."""
    from pydantic import TypeAdapter

    text = TypeAdapter(Findings).dump_json(findings, indent=2)
    (folder / FINDINGS_FILE).write_bytes(text + b"\n")


def read_findings(folder: Path) -> Findings | None:
    """Findings of a run folder, None where there are none; raises ConfigError when the file is not one."""
    from pydantic import TypeAdapter, ValidationError

    file = folder / FINDINGS_FILE
    if not file.exists():
        return None
    try:
        return TypeAdapter(Findings).validate_json(file.read_bytes())
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "file"
        raise ConfigError("not findings of this version", where=f"{file}: {where}", do="make the run again") from error
