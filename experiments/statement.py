"""statement: who supplied a party in each slot and whom it supplied, at what price and over which path (paper 4.2).

Read from a run folder: from its signed ledger, after verifying it, when there is one, else from the table of contracts
that `simulate` writes. Both give the same statement.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from envs.population import accounts_of, fleet_of
from envs.scenario_schema import read_settings
from experiments.run_ledger import describe_ledger, nobody
from experiments.runs import FORMAT, RunFolder, open_run
from ledger.audit import KeysOf, find_worlds
from ledger.showing import contracts_in
from market.contracts import CONTRACT, Source
from market.errors import ConfigError, DataError
from market.groups import BalancingGroup
from market.orders import Side
from market.slots import HALF_HOURS
from market.statements import AHEAD_DAYS, Dealings, contracts_of, name_paths, sum_dealings
from market.tables import Table, pick_rows
from market.units import MJPY_PER_JPY, UJPY_PER_JPY, WH_PER_KWH

NUMBERS = ("slot", "formed", "energy", "sell_price", "buy_price", "last_resort", "sell_reference", "buy_reference")
HEADER = ("time", "formed_time", "seller", "buyer", "path", "source", *NUMBERS)
ROW_FIELDS = ("time", "side", "partner", "kwh", "jpy_kwh", "path", "source", "formed", "days_ahead", "last_resort")
SHOWN_ROWS = 100


@dataclass(frozen=True)
class Deals:
    """Every contract of world 0 of a run.

    `names` are the parties by row, `paths` the paths in words, `origin` says where the contracts were read, `groups`
    who represents whom.
    """

    contracts: Table
    names: tuple[str, ...]
    paths: tuple[str, ...]
    origin: str
    groups: tuple[BalancingGroup, ...] = ()

    def provider_of(self, party: str) -> str | None:
        """The service provider of a party; None where it stands alone."""
        row = self.names.index(party)
        return next((group.name for group in self.groups if row in group.members), None)


@dataclass(frozen=True)
class Statement:
    """One party's contracts of some days (first and last included), and sums of what it bought and sold."""

    party: str
    first: date
    last: date
    deals: Deals
    contracts: Table
    bought: Dealings
    sold: Dealings

    def rows(self) -> dict[str, Any]:
        """Everything in plain values, for `--json`."""
        return {
            "party": self.party,
            "service_provider": self.deals.provider_of(self.party),
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "origin": self.deals.origin,
            "bought": self._sums(self.bought),
            "sold": self._sums(self.sold),
            "contracts": list(self.entries()),
        }

    def entries(self) -> Iterator[dict[str, Any]]:
        """One entry per contract, by delivery slot, then in order of formation.

        An auction may let a party meet itself: such a contract has two entries.
        """
        names, paths = self.deals.names, self.deals.paths
        for row in self.contracts:
            slot, formed = int(row["slot"]), int(row["formed"])
            buyer, seller = names[row["buyer"]], names[row["seller"]]
            for side, mine, partner in (("bought", buyer, seller), ("sold", seller, buyer)):
                if mine == self.party:
                    yield {
                        "time": HALF_HOURS.label(slot),
                        "side": side,
                        "partner": partner,
                        "kwh": int(row["energy"]) / WH_PER_KWH,
                        "jpy_kwh": int(row["buy_price" if side == "bought" else "sell_price"]) / MJPY_PER_JPY,
                        "path": paths[row["path"]],
                        "source": Source(row["source"]).name.lower(),
                        "formed": HALF_HOURS.label(formed),
                        "days_ahead": (slot - formed) / HALF_HOURS.per_day,
                        "last_resort": bool(row["last_resort"]),
                    }

    def print(self) -> None:
        """Sums and the first contracts on standard output."""
        from rich.table import Table as RichTable

        from experiments.screen import console

        screen = console()
        if provider := self.deals.provider_of(self.party):
            screen.print(f"service provider 代表契約者 {provider}")
        for word, preposition, side in (("bought", "from", self.bought), ("sold", "to", self.sold)):
            for line in self._lines(word, preposition, side):
                screen.print(line, soft_wrap=True)
        table = RichTable(title=f"{self.party}, delivery {self.first} to {self.last}")
        for heading in ("delivery", "", "with", "kWh", "JPY/kWh", "path", "source", "formed", ""):
            table.add_column(heading, justify="right" if heading in ("kWh", "JPY/kWh") else "left")
        for entry, _ in zip(self.entries(), range(SHOWN_ROWS), strict=False):
            flag = "last resort" if entry["last_resort"] else ""
            numbers = (f"{entry['kwh']:,.3f}", f"{entry['jpy_kwh']:.2f}")
            where = entry["path"] or "own area"
            table.add_row(
                entry["time"], entry["side"], entry["partner"], *numbers, where, entry["source"], entry["formed"], flag
            )
        screen.print(table)
        if len(self.contracts) > SHOWN_ROWS:
            screen.print(f"the first {SHOWN_ROWS} of {len(self.contracts)} contracts: --day narrows, --out writes all")
        screen.print(self.deals.origin, soft_wrap=True)

    def write_csv(self, path: Path) -> None:
        """Every entry as CSV; raises ConfigError when the file cannot be written."""
        try:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, ROW_FIELDS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(self.entries())
        except OSError as error:
            raise ConfigError(f"cannot write: {error.strerror}", where=str(path), do="give another --out") from error

    def _sums(self, side: Dealings) -> dict[str, Any]:
        names = self.deals.names
        return {
            "kwh": side.energy_wh / WH_PER_KWH,
            "jpy": side.money_ujpy / UJPY_PER_JPY,
            "mean_jpy_kwh": side.mean_jpy_kwh,
            "last_resort_share": side.share(side.last_resort_wh),
            f"share_formed_over_{AHEAD_DAYS}_days_ahead": side.share(side.ahead_wh),
            "share_by_source": {source.name.lower(): side.share(wh) for source, wh in side.by_source.items()},
            "share_by_partner": {names[row]: side.share(wh) for row, wh in side.by_partner.items()},
            "slots": side.slots,
            "longest_run_slots": side.longest_run,
        }

    def _lines(self, word: str, preposition: str, side: Dealings) -> Iterator[str]:
        if not side.energy_wh:
            yield f"{word:<9} nothing"
            return
        yield (
            f"{word:<9} {side.energy_wh / WH_PER_KWH:,.1f} kWh at a mean of {side.mean_jpy_kwh:.2f} JPY/kWh, "
            f"{side.money_ujpy / UJPY_PER_JPY:,.0f} JPY; last resort {_percent(side, side.last_resort_wh)}, "
            f"formed over {AHEAD_DAYS} days ahead {_percent(side, side.ahead_wh)}"
        )
        partners = (f"{self.deals.names[row]} {_percent(side, wh)}" for row, wh in side.by_partner.items())
        sources = (f"{source.name.lower()} {_percent(side, wh)}" for source, wh in side.by_source.items())
        yield f"  {preposition:<7} {', '.join(partners)}"
        yield f"  source  {', '.join(sources)}"
        yield f"  slots   {side.slots} with energy, longest run without a gap {side.longest_run}"


def make_statement(
    party: str,
    run: Path | None = None,
    *,
    day: str | None = None,
    first: str | None = None,
    last: str | None = None,
    keys_of: KeysOf = nobody,
) -> Statement:
    """The statement of a party for one day, or from a first to a last day; raises ConfigError, DataError, LedgerError.

    `run` is a run folder, the newest in `runs/` if None; days are yyyy-mm-dd, all days of the run if None. `keys_of`:
    the administrators whose epochs of the ledger are followed.
    """
    if day is not None and (first is not None or last is not None):
        raise ConfigError("a day and a range are both given", where="--day", do="give --day, or --from and --to")
    folder = open_run(newest_run() if run is None else run)
    deals = read_deals(folder, keys_of)
    row = find_name(party, deals.names, folder)
    begin, end = _choose_days(deals, day or first, day or last)
    slots = deals.contracts["slot"]
    inside = (slots >= HALF_HOURS.first_of(begin)) & (slots < HALF_HOURS.first_of(end) + HALF_HOURS.per_day)
    mine = contracts_of(pick_rows(deals.contracts, inside), row)
    bought, sold = (sum_dealings(mine, row, side) for side in (Side.BUY, Side.SELL))
    return Statement(party, begin, end, deals, mine, bought, sold)


def newest_run(folder: Path = Path("runs")) -> Path:
    """The run in a folder that was written last and kept its contracts; raises ConfigError when there is none."""
    runs = [RunFolder(path) for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    kept = [run for run in runs if run.read_json("config").get("format") == FORMAT and _keeps_contracts(run)]
    if not kept:
        raise ConfigError("no run with contracts here", where=str(folder), do="simulate first, or give --run FOLDER")
    return max(kept, key=lambda run: ((run.path / "state").stat().st_mtime_ns, run.path.name)).path


def read_deals(run: RunFolder, keys_of: KeysOf = nobody) -> Deals:
    """Every contract of world 0 of a run: from its ledger, verified, when there is one, else from its table."""
    if run.ledger.is_dir():
        return _read_ledger(run, keys_of)
    if not _keeps_contracts(run):
        raise ConfigError("this run kept no contracts", where=str(run.path), do="simulate it again")
    return _read_table(run)


def contract_rows(contracts: Table, names: tuple[str, ...], paths: tuple[str, ...]) -> Iterator[list[object]]:
    """Rows of `tables/contracts.csv` under HEADER: names in words, energy [Wh], prices [mJPY/kWh]."""
    for row in contracts:
        words = names[row["seller"]], names[row["buyer"]], paths[row["path"]], Source(row["source"]).name.lower()
        times = HALF_HOURS.label(int(row["slot"])), HALF_HOURS.label(int(row["formed"]))
        yield [*times, *words, *(int(row[name]) for name in NUMBERS)]


def _percent(side: Dealings, part_wh: int) -> str:
    return f"{part_wh / side.energy_wh:.1%}"


def _keeps_contracts(run: RunFolder) -> bool:
    return (run.tables / "contracts.csv").is_file() or run.ledger.is_dir()


def _read_ledger(run: RunFolder, keys_of: KeysOf) -> Deals:
    origin = describe_ledger(run, "statement", keys_of)
    rules, contracts = contracts_in(find_worlds(run.ledger)[0])
    accounts = rules.accounts
    return Deals(contracts, accounts.party_names, name_paths(rules.grid), origin, accounts.groups)


def find_name(party: str, names: tuple[str, ...], run: RunFolder) -> int:
    """Row of a party; raises ConfigError naming those that are close."""
    if party not in names:
        close = get_close_matches(party, names, n=3, cutoff=0.4) or names
        raise ConfigError(f"no party {party!r} in this run", where=str(run.path), do=f"try {', '.join(close)}")
    return names.index(party)


def _read_table(run: RunFolder) -> Deals:
    file = run.tables / "contracts.csv"
    try:
        with file.open(newline="", encoding="utf-8") as handle:
            lines = list(csv.DictReader(handle))
        with (run.tables / "parties.csv").open(newline="", encoding="utf-8") as handle:
            names = tuple(line["name"] for line in csv.DictReader(handle))
        paths = tuple(dict.fromkeys(line["path"] for line in lines))
        contracts = np.zeros(len(lines), CONTRACT)
        for name in NUMBERS:
            contracts[name] = [int(line[name]) for line in lines]
        for name in ("seller", "buyer"):
            contracts[name] = [names.index(line[name]) for line in lines]
        contracts["path"] = [paths.index(line["path"]) for line in lines]
        contracts["source"] = [Source[line["source"].upper()] for line in lines]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError("not the contracts of a run", where=str(file), do="simulate it again") from error
    groups = _groups_in(run.read_json("config").get("scenario", {}))
    return Deals(contracts, names, paths, f"from {file}; a run with --ledger full keeps them signed", groups)


def _groups_in(settings: dict[str, Any]) -> tuple[BalancingGroup, ...]:
    """The balancing groups of a scenario as a run's config holds it."""
    if not settings.get("service_providers"):
        return ()
    scenario = read_settings(settings)
    return accounts_of(scenario, fleet_of(scenario)).groups


def _choose_days(deals: Deals, first: str | None, last: str | None) -> tuple[date, date]:
    slots = deals.contracts["slot"]
    if not len(slots):
        raise ConfigError("no contract formed in this run", do="give another run")
    known = HALF_HOURS.day_of(int(slots.min())), HALF_HOURS.day_of(int(slots.max()))
    begin = known[0] if first is None else _read_day(first)
    end = known[1] if last is None else _read_day(last)
    if not known[0] <= begin <= end <= known[1]:
        raise ConfigError(
            f"{begin} to {end} is not in the run", where="--day", do=f"give days {known[0]} to {known[1]}"
        )
    return begin, end


def _read_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a day", where="--day", do="write yyyy-mm-dd") from error
