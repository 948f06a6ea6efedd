"""Line outages in the simulated world: capacities fall when told, contracts are cut, everybody is made whole."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from envs.scenario import load_scenario
from envs.single_env import DigitalGridEnv
from envs.world import Step, World
from experiments.lines import read_lines
from experiments.simulate import make_order, simulate
from experiments.statement import make_statement
from ledger.audit import verify
from ledger.journal import read
from ledger.records import RecordType
from ledger.showing import contracts_in, show
from market.committed import use_of
from market.contracts import add_positions
from market.design import find_design
from market.errors import ConfigError, LedgerError
from market.settlement import PostingKind
from market.tables import Table, join_rows
from tests.ledger.test_audit import rewrite

OUTAGES = [
    {"line": "tohoku-tokyo", "announced_hours": 8, "from_hours": 6, "to_hours": 14, "left_kw": 10.0},
    {"line": "tohoku-tokyo", "announced_hours": 11.5, "from_hours": 12, "to_hours": 40, "left": 0.1},
]
"""The first is told two hours after it begins: slots whose gates are closed keep their capacity. Both overlap."""
GATE, SEED = 2, 5


@dataclass
class Run:
    """A world played to its end, and its steps."""

    world: World
    steps: list[Step]

    @property
    def curtailed(self) -> Table:
        """Everything that was taken off contracts."""
        return np.concatenate([step.outage.curtailed for step in self.steps if step.outage])


def play(design: str = "dgp", worlds: int = 1, seed: int = SEED, folder: Path | None = None, days: int = 1) -> Run:
    """Truthful bidders under the outages, a day's slots open in rolling designs."""
    scenario = load_scenario("urawa-misono", {"outages": OUTAGES})
    rules = find_design(design).with_horizon(48)
    world = World(scenario, rules, worlds, seed, days=days, ledger="full" if folder else "digest", folder=folder)
    world.reset()
    steps = [world.step()]
    while not steps[-1].done:
        steps.append(world.step())
    return Run(world, steps)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One world for a day under dgp, signed."""
    return play(folder=tmp_path_factory.mktemp("run") / "ledger")


def ledger_of(run: Run) -> Path:
    """Where its ledger lies."""
    assert run.world.folder is not None
    return run.world.folder


def test_capacity_falls_in_open_slots_only_and_flows_fit(run: Run) -> None:
    """10 kW are 5,000 Wh in each slot from the gate on (slot 18) to hour 14; then a tenth of what was left."""
    before, after = run.world.episode.capacity_wh[0, :, 0], run.world.capacity_wh[:, 0]
    assert (after[: 16 + GATE] == before[: 16 + GATE]).all()
    assert (after[16 + GATE : 24] == np.minimum(before[16 + GATE : 24], 5_000)).all()
    assert (after[24 + 1 : 28] == np.minimum(before[25:28], 5_000) // 10).all()
    assert (after[28:] == before[28:] // 10).all()
    net = run.world.flow_wh[:, 0, 0] - run.world.flow_wh[:, 0, 1]
    assert (net <= after[:, 0]).all()
    assert (-net <= after[:, 1]).all()


def test_contracts_are_curtailed_and_what_is_left_is_the_flow(run: Run) -> None:
    """The ledger's contracts, less what was taken off them, explain every line's use and every position."""
    assert len(run.curtailed) > 50
    rules, contracts = contracts_in(ledger_of(run) / "world-0000")
    start = run.world.episode.first_slot
    assert (use_of(rules.grid, contracts, int(start[0]), 48) == run.world.flow_wh).all()
    position = np.zeros_like(run.world.position_wh)
    add_positions(position, contracts, start)
    assert (position == run.world.position_wh).all()
    assert (contracts["energy"] > 0).all()


def test_curtailed_energy_is_not_planned(run: Run) -> None:
    """Plans are what is contracted after all, so nobody is short because of an outage."""
    world = run.world
    assert (world.plan_wh[:, :, :48] == world.position_wh).all()
    solar = np.flatnonzero(world.fleet.dispatchable)
    assert (world.plan_wh[:, solar] <= 0).all()


def test_both_parties_are_paid_by_the_account_of_line_outages(run: Run) -> None:
    """The sum on record is what `line_outage` has paid by the end; each step's postings sum to zero."""
    money, accounts = run.world.tally.money_ujpy[0], run.world.accounts
    paid = run.curtailed["buyer_ujpy"].sum() + run.curtailed["seller_ujpy"].sum()
    assert paid > 0
    assert money[accounts.row("line_outage"), PostingKind.OUTAGE] == -paid
    assert money[: accounts.parties, PostingKind.OUTAGE].sum() == paid
    assert not money.sum(axis=0).any()
    assert not any(step.money_ujpy.sum(axis=1).any() for step in run.steps)


@pytest.mark.parametrize(("design", "days"), [("dgp", 1), ("call", 1), ("spot", 2), ("dgp-batch", 1)])
def test_rewards_of_an_episode_are_postings_less_wear_plus_stored_energy(design: str, days: int) -> None:
    """What curtailment takes back and pays accrues when it is told, and is in the postings of the delivered slots."""
    run = play(design, 2, days=days)
    rewards = sum(step.reward_ujpy for step in run.steps)
    assert (rewards == run.world.tally.money_of_parties()).all()
    assert not run.world.tally.money_ujpy.sum(axis=1).any()


@pytest.mark.parametrize(("design", "days"), [("dgp", 1), ("call", 1), ("spot", 2)])
def test_the_audit_derives_outages_again(design: str, days: int, tmp_path: Path) -> None:
    """Capacities are read, curtailments and payments derived; signing does not change the content."""
    full = play(design, folder=tmp_path / "ledger", days=days)
    verdict = verify(tmp_path / "ledger", full.world.keeper.chain_head)
    assert verdict.ok, verdict.lines
    assert verdict.counts.get("curtailed contracts", 0) == len(full.curtailed)
    assert (len(full.curtailed) > 0) == (design != "call")
    assert play(design, days=days).world.keeper.content_heads == full.world.keeper.content_heads


def test_a_world_has_the_same_head_alone_and_in_a_batch() -> None:
    """The second of two worlds, and the world of its key alone."""
    batch, alone = play(worlds=2), play(seed=SEED + 1)
    starts = batch.world.episode.first_slot
    world = World(alone.world.scenario, alone.world.design, 1, SEED + 1, days=1)
    world.reset(starts=starts[1:])
    while not world.step().done:
        pass
    assert world.keeper.content_heads[0] == batch.world.keeper.content_heads[1]


def test_the_record_is_shown_in_plain_data(run: Run) -> None:
    """Two announcements, each before the envelopes of its step, with capacities and curtailed contracts."""
    kinds = [kind for _, _, kind, _ in read(ledger_of(run) / "world-0000")]
    places = [place for place, kind in enumerate(kinds) if kind == RecordType.OUTAGE]
    assert len(places) == 2
    assert all(kinds[place - 1] == RecordType.STEP for place in places)
    told = [record for record in show(ledger_of(run) / "world-0000") if record["type"] == "outage"]
    assert [len(record["curtailed"]) for record in told] == [len(s.outage.curtailed) for s in run.steps if s.outage]
    assert told[0]["capacity"][0]["line"] == "tohoku-tokyo"


SPOILED: dict[str, tuple[int, str]] = {
    "line": (5, "other slots or lines"),
    "slot": (9, "not in order|other slots"),
    "forward": (13, "does not fall|curtailed"),
    "energy": (-17, "energy is recorded"),
    "buyer": (-9, "buyer_ujpy is recorded"),
    "seller": (-1, "seller_ujpy is recorded"),
}


@pytest.mark.parametrize("part", SPOILED)
def test_an_altered_outage_is_found_even_by_an_insider(run: Run, part: str, tmp_path: Path) -> None:
    """One byte of the outage record changed and everything above it signed anew."""
    place, told = SPOILED[part]

    def change(kind: RecordType, body: bytes) -> bytes:
        spoiled = bytearray(body)
        if kind == RecordType.OUTAGE:
            spoiled[place] ^= 0x40
        return bytes(spoiled)

    verdict = verify(rewrite(ledger_of(run), tmp_path / "spoiled", change))
    assert not verdict.ok
    assert any(word in verdict.lines[0] for word in told.split("|"))


def spoil(run: Run, target: Path, change: Callable[[bytes], bytes]) -> str:
    """What the audit says of a ledger whose outage records are changed."""
    folder = rewrite(ledger_of(run), target, lambda kind, body: change(body) if kind == RecordType.OUTAGE else body)
    verdict = verify(folder)
    assert not verdict.ok
    return verdict.lines[0]


def test_a_curtailment_left_out_or_a_cut_record_is_found(run: Run, tmp_path: Path) -> None:
    """One contract fewer, one byte fewer, no notices."""
    assert "are curtailed" in spoil(run, tmp_path / "fewer", lambda body: body[:-28])
    assert "wrong length" in spoil(run, tmp_path / "short", lambda body: body[:-1])
    assert "wrong length" in spoil(run, tmp_path / "empty", lambda body: bytes(4))


def test_the_parties_of_a_curtailed_contract_are_told(run: Run) -> None:
    """Each step's outage names what was taken back, by contract, with energy below zero."""
    for step in run.steps:
        if step.outage:
            taken = step.outage.response.taken_back
            assert (taken["energy"] == -step.outage.curtailed["energy"]).all()
            assert (taken["slot"] >= taken["formed"] + 1).all()
    everything = join_rows(*(step.contracts for step in run.steps))
    assert run.curtailed["energy"].sum() < everything["energy"].sum()


@pytest.mark.parametrize("party", ["store-1", "thermal-1"])
def test_the_money_parts_of_info_sum_to_the_reward(party: str) -> None:
    """What outages take and pay is a part of its own, in the step after which they are told."""
    env = DigitalGridEnv(party, scenario=load_scenario("urawa-misono", {"outages": OUTAGES, "horizon": 48}), days=1)
    env.reset(seed=SEED)
    told, truncated = 0, False
    while not truncated:
        _, reward, _, truncated, info = env.step(np.zeros(env.action_space.shape or (), np.float32))
        assert sum(info["money_jpy"].values()) == pytest.approx(reward * env.parallel.scale_jpy, abs=1e-6)
        told += info["money_jpy"]["outages"] != 0
    assert told > 0


def test_a_run_says_what_outages_took_and_its_statements_are_of_what_stands(tmp_path: Path) -> None:
    """Metrics, table of curtailments, table of contracts, ledger, lines and totals agree."""
    order = make_order("urawa-misono", days=1, seed=4, ledger="full", horizon=48, settings={"outages": OUTAGES})
    played = simulate(order, tmp_path / "run")
    with (tmp_path / "run" / "tables" / "curtailments.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == played.metrics()["curtailed_contracts"] > 0
    assert sum(int(row["energy_wh"]) for row in rows) / 1_000 == played.metrics()["curtailed_kwh"]
    _, contracts = contracts_in(tmp_path / "run" / "ledger" / "world-0000")
    assert (played.contracts["energy"] == contracts["energy"]).all()
    store = next(party for party in played.parties if party.name == "store-1")
    statement = make_statement("store-1", tmp_path / "run")
    assert statement.bought.energy_wh - statement.bought.last_resort_wh == store.bought_wh
    ahead = read_lines(tmp_path / "run").ahead
    assert (ahead.net_wh[:, 0] == played.trace.slots["flow_wh:tohoku-tokyo"]).all()
    assert played.trace.trades_wh.sum() == contracts["energy"].sum()


MISTAKES = {
    "unknown line": ({"line": "tohoku-toky"}, "did you mean 'tohoku-tokyo'"),
    "ends first": ({"to_hours": 5}, "ends before it begins"),
    "both": ({"left": 0.5}, "left and left_kw"),
    "quarter of an hour": ({"from_hours": 6.25}, "steps of 0.5"),
    "more than all": ({"left": 1.5, "left_kw": None}, "less than or equal to 1"),
    "unknown key": ({"until": 3}, "unknown key"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_an_outage_is_one_line(mistake: str) -> None:
    """File, key, what is wrong, what to do."""
    change, told = MISTAKES[mistake]
    with pytest.raises(ConfigError) as raised:
        load_scenario("urawa-misono", {"outages": [OUTAGES[0] | change]})
    assert told in str(raised.value)
    assert "outages.0" in str(raised.value)


def test_an_outage_record_without_rows_is_no_record() -> None:
    """Reading it says so."""
    from ledger.outages import read_outage

    with pytest.raises(LedgerError, match="wrong length"):
        read_outage(b"")
