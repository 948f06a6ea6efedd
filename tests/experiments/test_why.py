"""why: every decision of a run comes out again from what was recorded, and what cannot be shown is said."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.knowing import hash_policy
from agents.policies import mark_up
from envs.reasons import reasons_of
from envs.scenario import load_scenario
from experiments.cli import app
from experiments.device_host import run_device_day
from experiments.simulate import Simulation, make_order, simulate
from experiments.why import Why, decide_again, explain
from ledger.encoding import decode_heads
from ledger.proofs import Holders, places
from ledger.reasons import NO_REASON, ObservationLog, find_observation, name_observation, read_observations
from ledger.records import RecordType, split_envelope
from ledger.why import find_contract
from market.design import find_design
from market.errors import ConfigError, DataError, LedgerError
from market.orders import Side
from market.units import UJPY_PER_JPY
from tests.experiments.test_cli import assert_one_line
from tests.reference.networks import write_network

Named = tuple[Simulation, Path]
DOCS = Path(__file__).parents[2] / "docs" / "why.md"


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Named:
    """A day under dgp: homes bid by an exported network, the mall by dice; and the network's file."""
    folder = tmp_path_factory.mktemp("why")
    network = write_network(folder / "home.onnx", seed=4)
    policies = {"home": str(network.path), "solar": "zero-intelligence"}
    order = make_order("urawa-misono", days=1, seed=4, ledger="full", policies=policies)
    return simulate(order, folder / "run"), network.path


def ledger_of(run: Simulation) -> Path:
    """The only world."""
    return run.folder / "ledger" / "world-0000"


def name_of(run: Simulation, seller: str, last_resort: bool = False) -> str:
    """The name of the first contract that a party sold."""
    names = [measures.name for measures in run.parties]
    contracts = run.contracts[
        (run.contracts["last_resort"] == last_resort) & (run.contracts["formed"] > run.first_slot)
    ]
    row = contracts[contracts["seller"] == names.index(seller)][0]
    buyer, reference = names[row["buyer"]], "" if last_resort else f"/{row['sell_reference']}"
    return f"{row['slot']}/{seller}/{buyer}{reference}"


def first_story(run: Simulation, seller: str) -> Why:
    """Explained, whichever of several contracts of that name comes first."""
    try:
        return explain(name_of(run, seller), run.folder)
    except ConfigError as error:
        found = re.search(r"name one of (\S+?)[,)]", str(error))
        assert found
        return explain(found[1], run.folder)


def test_every_envelope_of_a_run_is_decided_again_bit_for_bit(named: Named) -> None:
    """Network, dice and truthful: the recorded observation and the named policy give the orders and plan signed."""
    run, _ = named
    story, holders, tried = first_story(run, "mall").story, Holders(), set[str]()
    known = {hash_policy(policy): policy for policy in run.order.policies.values()}
    seen = {name_observation(data): data for data in read_observations(run.folder / "observations.dgo")}
    for _, kind, body in places(ledger_of(run)):
        holders.take(kind, body)
        if kind != RecordType.ENVELOPE:
            continue
        envelope, _ = split_envelope(body)
        head = decode_heads([envelope])[0]
        policy = known.get(bytes(head["policy"]))
        if policy is None:
            continue
        party = run.order.world().fleet.names.index(holders.names[bytes(head["key"])])
        again = decide_again(story, party, envelope, seen[bytes(head["observation"])], policy)
        assert again.same, (holders.names[bytes(head["key"])], int(head["slot"]), again.finding)
        tried.add(policy.name)
    assert tried == {"home", "zero-intelligence"}


def test_the_story_of_a_contract_hangs_together(named: Named) -> None:
    """Both orders are good for the contract's price, both proofs hold, money sums to zero, the line has room."""
    why = first_story(named[0], "thermal-1")
    contract = why.story.contract[0]
    assert set(why.sides) == {Side.SELL, Side.BUY}
    for side, signed in why.sides.items():
        order = signed.said.order
        assert order is not None
        limit, price = int(order["price"][0]), int(contract["sell_price" if side == Side.SELL else "buy_price"])
        assert limit <= price if side == Side.SELL else limit >= price
        assert signed.again.same
        assert signed.slot <= int(contract["formed"])
    for kind in {posting["kind"] for posting in why.postings}:
        assert sum(posting["ujpy"] for posting in why.postings if posting["kind"] == kind) == 0
    paid = sum(p["ujpy"] for p in why.postings if p["kind"] == "purchase" and p["ujpy"] < 0)
    assert paid == -int(contract["energy"]) * int(contract["buy_price"])
    assert why.lines
    for line in why.lines:
        assert line["committed_before_wh"] < line["committed_after_wh"] <= line["capacity_wh"]
        assert line["room_left_wh"] == line["capacity_wh"] - line["committed_after_wh"]
    assert why.story.settled is not None


def test_the_book_brackets_the_price(named: Named) -> None:
    """What was left on either side could not have traded with what is left on the other."""
    book = first_story(named[0], "thermal-1").book
    assert book is not None
    sale, purchase = book["cheapest_sale_left"], book["dearest_purchase_left"]
    assert book["dearest_sale_traded"]["traded_wh"] > 0
    assert book["sales"] > 0 < book["purchases"]
    assert sale is None or purchase is None or sale["price_mjpy_kwh"] > purchase["price_mjpy_kwh"]


@pytest.mark.parametrize(
    "design", ["call", *(pytest.param(name, marks=pytest.mark.slow) for name in ("dgp-batch", "spot+intraday"))]
)
def test_contracts_of_other_designs_have_their_story(design: str, tmp_path: Path) -> None:
    """Auctions show area prices; both sides are decided again."""
    run = simulate(make_order("urawa-misono", design, days=2, seed=1, ledger="full"), tmp_path / "run")
    sellers = {int(row) for row in run.contracts["seller"][run.contracts["last_resort"] == 0]}
    why = first_story(run, run.parties[min(sellers)].name)
    assert [signed.again.same for signed in why.sides.values()] == [True, True]
    assert why.book is not None
    if design == "call":
        assert why.book["area_prices_mjpy_kwh"]["tokyo"] is not None


def test_last_resort_is_told_from_the_plan(named: Named) -> None:
    """No order and no book, but the envelope that declared the plan."""
    name = name_of(named[0], "retailer-tokyo", last_resort=True)
    why = explain(name, named[0].folder)
    assert why.book is None
    assert why.lines == []
    assert why.sides[Side.BUY].said.order is None
    assert "last resort" in " ".join(text for _, text in why.told())


def test_contracts_of_the_opening_have_no_envelope(named: Named) -> None:
    """Their gates closed before the first step."""
    why = explain("0/3#0", named[0].folder)
    assert why.sides == {}
    assert "from the opening" in " ".join(text for _, text in why.told())


def test_what_is_not_kept_is_said(named: Named, tmp_path: Path) -> None:
    """Without the file of observations, and without the policy's file, the hashes are all there is."""
    run, network = named
    bare = tmp_path / "bare"
    shutil.copytree(run.folder, bare)
    (bare / "observations.dgo").unlink()
    wanted = first_story(run, "thermal-1").story.found.name
    for signed in explain(wanted, bare).sides.values():
        assert signed.again.same is None
        assert "not kept in this run: only its hash is" in signed.again.finding
    config = json.loads((bare / "config.json").read_text())
    config["policies"] = {"home": "gone.onnx"}
    (bare / "config.json").write_text(json.dumps(config))
    shutil.copy(run.folder / "observations.dgo", bare)
    homes = next(name for name in contracts_with(run, "home-"))
    assert any("give its file with --policy" in s.again.finding for s in explain(homes, bare).sides.values())
    again = explain(homes, bare, policies=[str(network)])
    assert all(signed.again.same for signed in again.sides.values())


def contracts_with(run: Simulation, party: str) -> Iterator[str]:
    """Names of contracts that formed in the market with some party on either side."""
    names = [measures.name for measures in run.parties]
    for row in run.contracts[(run.contracts["last_resort"] == 0) & (run.contracts["formed"] > run.first_slot)]:
        seller, buyer = names[row["seller"]], names[row["buyer"]]
        wanted = f"{row['slot']}/{seller}/{buyer}/{row['sell_reference']}"
        if party in seller + buyer and fits_one(run, wanted):
            yield wanted


def fits_one(run: Simulation, wanted: str) -> bool:
    """Whether a name is that of one contract only."""
    try:
        return bool(find_contract(ledger_of(run), wanted))
    except ConfigError:
        return False


def test_a_decision_that_comes_out_differently_is_told(named: Named) -> None:
    """Another policy on the same observation gives other orders, and the answer says so."""
    run, _ = named
    homes = explain(next(name for name in contracts_with(run, "home-")), run.folder)
    side, signed = next((side, s) for side, s in homes.sides.items() if s.party.startswith("home"))
    data = find_observation(run.folder / "observations.dgo", signed.observation_hash)
    assert data is not None
    again = decide_again(homes.story, homes.story.party(side), signed.said.envelope, data, mark_up(0.9))
    assert again.same is False
    assert "OTHER" in again.finding


def test_mistakes_are_told_in_one_line(named: Named, tmp_path: Path) -> None:
    """Unknown names, several of one name, a run without a ledger, an altered one."""
    run, _ = named
    for wanted, what in (("home-1", "not the name"), ("9/9#9", "no contract"), ("1/a/b", "no contract")):
        with pytest.raises(ConfigError, match=what):
            explain(wanted, run.folder)
    with pytest.raises(ConfigError, match="no world 3"):
        explain("0/3#0", run.folder, world=3)
    bare = tmp_path / "bare"
    shutil.copytree(run.folder, bare, ignore=shutil.ignore_patterns("ledger"))
    with pytest.raises(ConfigError, match="kept no signed ledger"):
        explain("0/3#0", bare)
    other = tmp_path / "other"
    shutil.copytree(run.folder, other)
    metrics = json.loads((other / "metrics.json").read_text())
    (other / "metrics.json").write_text(json.dumps(metrics | {"chain_head": "00" * 32}))
    with pytest.raises(LedgerError, match="the run's was"):
        explain("0/3#0", other)


def test_the_verb_prints_and_gives_json(named: Named) -> None:
    """Both forms name the contract, and the JSON has every feature that was seen."""
    run, _ = named
    name = first_story(run, "thermal-1").story.found.name
    told = CliRunner().invoke(app, ["why", name, "--run", str(run.folder)])
    assert told.exit_code == 0, told.output
    assert "bit for bit" in told.stdout
    made = json.loads(CliRunner().invoke(app, ["why", name, "--run", str(run.folder), "--json"]).stdout)
    assert made["contract"] == name
    assert made["orders"]["seller"]["same"] is True
    assert len(made["orders"]["buyer"]["observation"]) > 40
    money = sum(posting["ujpy"] for posting in made["postings"]) / UJPY_PER_JPY
    assert money == 0


def test_a_device_names_what_the_world_would_have_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Policy and observation hashes of a separate device process are those of the world's own view of the party."""
    made = []

    def keep(*given: object) -> object:
        made.append(reasons_of(*given))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr("envs.world.reasons_of", keep)
    policy = write_network(tmp_path / "home.onnx", seed=4)
    design = find_design("dgp")
    assert run_device_day(load_scenario("urawa-misono"), design, policy.path, tmp_path / "ledger").ok
    ours = [reasons[0, 0].tobytes() for reasons in made if reasons is not None]
    said = [body for _, kind, body in places(tmp_path / "ledger" / "world-0000") if kind == RecordType.ENVELOPE]
    theirs = [body[68:132] for body in said if body[68:100].hex() == policy.sha256]
    homes = len(theirs) // len(ours)
    assert theirs[::homes] == ours


def test_observations_are_kept_and_damage_is_told(tmp_path: Path) -> None:
    """Each is found by its hash; a cut or altered file is not believed."""
    path, data = tmp_path / "seen", [b"one", b"", b"three" * 100]
    log = ObservationLog(path)
    log.add(data[:2])
    log.add(data[2:])
    log.close()
    assert list(read_observations(path)) == data
    assert find_observation(path, name_observation(b"three" * 100)) == data[2]
    assert find_observation(path, NO_REASON) is None
    assert find_observation(tmp_path / "absent", NO_REASON) is None
    with pytest.raises(DataError, match="cannot write"):
        ObservationLog(path)
    whole = path.read_bytes()
    for spoiled in (whole[:-1], whole[:9], b"X" + whole[1:], whole[:-3] + b"abc"):
        path.write_bytes(spoiled)
        with pytest.raises(DataError):
            list(read_observations(path))


def test_reasons_leave_the_content_head_alone(named: Named, tmp_path: Path) -> None:
    """Signed or not, the same world has the same content: reasons stand in envelopes only."""
    run, network = named
    policies = {"home": str(network), "solar": "zero-intelligence"}
    digest = simulate(make_order("urawa-misono", days=1, seed=4, policies=policies), tmp_path / "digest")
    assert digest.content_heads == run.content_heads
    assert not (digest.folder / "observations.dgo").exists()


def test_the_page_shows_what_the_verb_prints(tmp_path: Path) -> None:
    """The example of docs/why.md, but for the chain head, which moves with the source of the market."""
    text = DOCS.read_text("utf-8")
    commands = re.findall(r"^digitalgrid (.+)$", text, re.MULTILINE)
    assert commands[0].startswith("simulate ")
    assert commands[1].startswith("why ")
    simulated, asked = (shlex.split(command.replace("runs/why", str(tmp_path / "run"))) for command in commands[:2])
    assert CliRunner().invoke(app, simulated).exit_code == 0
    printed = CliRunner().invoke(app, asked).stdout.splitlines()
    shown = text.split("```text\n")[1].split("```")[0].splitlines()
    assert [line for line in shown if not line.startswith("ledger")] == printed[:-1]
    assert printed[-1].startswith("ledger")


@pytest.fixture(scope="module")
def moved(named: Named) -> Path:
    """What is left of the run after its leader was lost: another's epoch goes on, in a run folder of its own."""
    out = named[1].parent / "moved"
    words = ["ledger", "administrators", str(named[0].folder), str(out), "--leader-lost", "4"]
    assert CliRunner().invoke(app, words).exit_code == 0
    return out


def latest(run: Simulation) -> str:
    """The name of a contract of the last slot that was delivered."""
    names = [measures.name for measures in run.parties]
    row = run.contracts[run.contracts["last_resort"] == 1][-1]
    return f"{row['slot']}/{names[row['seller']]}/{names[row['buyer']]}"


@pytest.mark.parametrize("verb", ["why", "statement", "bill", "lines"])
def test_a_run_whose_leader_was_lost_is_read_with_the_keys(named: Named, moved: Path, verb: str) -> None:
    """Each verb follows the epoch and tells it; without the keys it says in one line to give them."""
    words = {"why": [latest(named[0]), "--run"], "lines": []}.get(verb, ["home-1", "--run"])
    read = CliRunner().invoke(app, [verb, *words, str(moved), "--keys", str(moved)])
    assert read.exit_code == 0, read.output
    assert "epoch 1 begins, ordered by administrator 1" in " ".join(read.stdout.split())
    assert_one_line(CliRunner().invoke(app, [verb, *words, str(moved)]), "give their public keys with --keys")


def test_the_report_of_a_run_whose_leader_was_lost_follows_the_epoch_too(
    moved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the keys the ledger is verified; without them the report says why it is not."""
    monkeypatch.setattr("experiments.report.draw_pictures", lambda *given: {})
    for keys, what in ((["--keys", str(moved)], "epoch 1 begins"), ([], "give their public keys with --keys")):
        assert CliRunner().invoke(app, ["report", str(moved), *keys]).exit_code == 0
        assert what in (moved / "report.html").read_text("utf-8")


def test_another_runs_content_is_not_believed_behind_an_epoch(named: Named, moved: Path, tmp_path: Path) -> None:
    """The chain head moves with an epoch, so content heads must be those printed; without an epoch the chain head."""
    bad = tmp_path / "bad"
    shutil.copytree(moved, bad, ignore=shutil.ignore_patterns("administrator-*"))
    shutil.copytree(named[0].folder, tmp_path / "plain")
    for folder, part, what in (
        (bad, {"content_heads": ["00" * 32]}, "content heads are not those of the run"),
        (tmp_path / "plain", {"chain_head": "00" * 32}, "the run's was"),
    ):
        metrics = json.loads((folder / "metrics.json").read_text())
        (folder / "metrics.json").write_text(json.dumps(metrics | part))
        for verb in (["why", "0/3#0", "--run"], ["bill", "home-1", "--run"]):
            assert_one_line(CliRunner().invoke(app, [*verb, str(folder), "--keys", str(moved)]), what)


@pytest.mark.parametrize("text", ["optimising", "optimising:30,0.5", "zero-intelligence-unconstrained"])
def test_strategies_without_memory_are_decided_again_bit_for_bit(text: str, tmp_path: Path) -> None:
    """The recorded view reaches as far as they look, so each envelope's orders and plan come out again."""
    order = make_order("urawa-misono", days=1, seed=4, ledger="full", policies={"home": text, "solar": text})
    run = simulate(order, tmp_path / "run")
    story, holders, tried = first_story(run, "mall").story, Holders(), 0
    known = {hash_policy(bidder): bidder for bidder in order.policies.values()}
    assert NO_REASON not in known
    seen = {name_observation(data): data for data in read_observations(run.folder / "observations.dgo")}
    names = order.world().fleet.names
    for _, kind, body in places(ledger_of(run)):
        holders.take(kind, body)
        if kind != RecordType.ENVELOPE:
            continue
        envelope, _ = split_envelope(body)
        head = decode_heads([envelope])[0]
        if bytes(head["policy"]) in known:
            party, bidder = names.index(holders.names[bytes(head["key"])]), known[bytes(head["policy"])]
            again = decide_again(story, party, envelope, seen[bytes(head["observation"])], bidder)
            assert again.same, (names[party], int(head["slot"]), again.finding)
            tried += 1
    homes = sum(name.startswith("home") for name in names)
    assert tried == (homes + 1) * 48
    assert all(signed.again.same for signed in first_story(run, "mall").sides.values())
