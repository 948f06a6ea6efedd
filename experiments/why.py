"""why: the chain behind one contract, from what a device saw to what was posted, each link checked.

Read from a run with a full ledger. The ledger is derived again from its first record (`ledger.why`); each order's
envelope is proved to stand in it; and where the run kept the observation and the policy is at hand, the policy decides
again on what was seen, and its orders are compared with those signed, byte for byte. What cannot be shown is said.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.bidders import find_bidder
from agents.fleet import Role
from agents.knowing import hash_policy, read_knowledge
from agents.observing import NO_QUOTE, OBSERVATION, View, observe
from agents.ordering import write_orders
from agents.policies import Stream
from agents.strategies import Bidder, quotes_of
from experiments.run_ledger import differs_from_run, ledger_of, nobody
from experiments.runs import RunFolder, open_run
from experiments.statement import newest_run
from ledger.audit import KeysOf, find_worlds
from ledger.encoding import ABSENT, SAYS_PLAN, decode_heads, decode_rows
from ledger.keeper import join_heads
from ledger.proofs import find_record, prove
from ledger.quorum import Administrators
from ledger.reasons import NO_REASON, find_observation
from ledger.receipts import administrators_of, check_receipt, make_receipt, proof_bytes
from ledger.why import Said, Story, describe_book, describe_lines, describe_postings, tell
from market.errors import ConfigError, DigitalGridError, LedgerError
from market.orders import ORDER_WIRE, Side
from market.statements import name_paths
from market.tables import to_wire
from market.units import MJPY_PER_JPY, UJPY_PER_JPY, WH_PER_KWH

PRICES = {
    "continuous": "the limit of the order that rested",
    "uniform": "one price for the area, the lowest that clears",
    "at-once": "by the rule of the design",
    "sessions": "of the auction, or the limit of the order that rested",
    "sharing": "shared among the members",
    "none": "the retailer's",
}
"""What a price comes from, by how a design pairs."""
ALWAYS_KNOWN = ("truthful", "zero-intelligence")
SIDES = {Side.SELL: "seller", Side.BUY: "buyer"}


@dataclass(frozen=True)
class Again:
    """What came of deciding again: in words, whether orders and plan are the same (None: not tried), what was seen."""

    finding: str
    same: bool | None = None
    policy: str | None = None
    view: View | None = None

    @property
    def seen(self) -> dict[str, float] | None:
        """The observation, feature by feature; None where it is not at hand."""
        if self.view is None:
            return None
        return {field.name: float(x) for field, x in zip(OBSERVATION, observe(self.view)[0, 0], strict=True)}


@dataclass(frozen=True)
class Signed:
    """One side of a contract: the envelope behind it, the proof of it in the ledger, and the decision again."""

    party: str
    said: Said
    slot: int
    block: int
    records: int
    hashes: int
    size: int
    policy_hash: bytes
    observation_hash: bytes
    again: Again


@dataclass(frozen=True)
class Why:
    """The chain behind a contract."""

    story: Story
    sides: Mapping[Side, Signed]
    book: dict[str, Any] | None
    lines: list[dict[str, Any]]
    postings: list[dict[str, Any]]

    @property
    def same(self) -> bool:
        """No decision came out differently."""
        return all(signed.again.same is not False for signed in self.sides.values())

    def rows(self) -> dict[str, Any]:
        """Everything in plain values, for `--json`."""
        story, contract = self.story, self.story.contract[0]
        label = story.genesis.rules.calendar.label
        return {
            "contract": story.found.name,
            "number": story.found.number,
            "slot": label(int(contract["slot"])),
            "formed": label(int(contract["formed"])),
            "seller": story.party_name(Side.SELL),
            "buyer": story.party_name(Side.BUY),
            "energy_wh": int(contract["energy"]),
            "standing_wh": int(story.standing()["energy"][0]),
            "sell_price_mjpy_kwh": int(contract["sell_price"]),
            "buy_price_mjpy_kwh": int(contract["buy_price"]),
            "last_resort": bool(contract["last_resort"]),
            "orders": {SIDES[side]: _describe_signed(signed, label) for side, signed in self.sides.items()},
            "book": self.book,
            "lines": self.lines,
            "postings": self.postings,
            "settled_in_record": story.settled,
            "chain_head": story.head.hex(),
            "epochs": list(story.changes),
        }

    def print(self) -> None:
        """One line a link on standard output."""
        from experiments.screen import console

        screen = console()
        for name, text in self.told():
            screen.print(f"{name:<10} {text}", soft_wrap=True)

    def told(self) -> Iterator[tuple[str, str]]:
        """The links in words: what it is about, and what is known of it."""
        yield from self._tell_contract()
        for side, signed in self.sides.items():
            yield from self._tell_side(side, signed)
        yield from self._tell_market()
        for line in self.lines:
            committed = f"{_kwh(line['committed_before_wh'])} committed before the step, "
            committed += f"{_kwh(line['committed_after_wh'])} after"
            yield "line", f"{line['line']} {line['way']}: {committed}, of {_kwh(line['capacity_wh'])} kWh"
        for posting in self.postings:
            yield "posting", f"{posting['account']} {posting['kind']} {posting['ujpy'] / UJPY_PER_JPY:+,.2f} JPY"
        settled = self.story.settled
        when = "not delivered within the ledger" if settled is None else f"posted by record {settled}"
        yield "settled", when
        for change in self.story.changes:
            yield "epoch", change
        yield "ledger", f"derived again from the first record, chain head {self.story.head.hex()}"

    def _tell_contract(self) -> Iterator[tuple[str, str]]:
        story, contract = self.story, self.story.contract[0]
        label = story.genesis.rules.calendar.label
        seller, buyer = (story.party_name(side) for side in (Side.SELL, Side.BUY))
        yield (
            "contract",
            f"{story.found.name}: {seller} delivers {_kwh(contract['energy'])} kWh to {buyer} in "
            f"{label(int(contract['slot']))}, at {_yen(contract['sell_price'])} JPY/kWh "
            f"(buyer {_yen(contract['buy_price'])}), formed {label(int(contract['formed']))}",
        )
        if len(story.curtailed):
            yield "outage", f"left {_kwh(story.standing()['energy'][0])} kWh of it"
        if contract["last_resort"]:
            yield "", "of last resort: the area's retailer fills what was planned and not contracted"
        if not self.sides:
            why = (
                "its gate closed before the first step"
                if contract["last_resort"]
                else "agreed before the market opened"
            )
            yield "", f"from the opening: {why}, so no device spoke"

    def _tell_side(self, side: Side, signed: Signed) -> Iterator[tuple[str, str]]:
        label, order, again = self.story.genesis.rules.calendar.label, signed.said.order, signed.again
        if order is None:
            said = f"{signed.party} declared its plan"
        else:
            verb = "asked" if side == Side.SELL else "bid"
            said = f"{signed.party} {verb} {_yen(order['price'][0])} JPY/kWh for {_kwh(order['energy'][0])} kWh"
        yield SIDES[side], f"{said}, signed in {label(signed.slot)}, envelope {signed.said.record_id[:16]}"
        proof = f"{signed.hashes} hashes, {signed.size} bytes"
        yield (
            "  proof",
            f"leaf {signed.said.leaf} of {signed.records} under the header of block {signed.block}: {proof}, good",
        )
        if again.view is not None:
            yield "  saw", _tell_view(again.view, int(self.story.contract["slot"][0]) - signed.slot)
        yield "  decided", again.finding

    def _tell_market(self) -> Iterator[tuple[str, str]]:
        book, design = self.book, self.story.genesis.rules.design
        if book is None:
            return
        yield "book", f"{book['sales']} sales and {book['purchases']} purchases of that half hour were live"
        for pick in ("dearest_sale_traded", "cheapest_sale_left", "cheapest_purchase_traded", "dearest_purchase_left"):
            order = book[pick]
            if order is not None:
                energy = _kwh(order["traded_wh"] if "traded" in pick else order["left_wh"])
                text = f"{pick.replace('_', ' ')}: {order['party']}, {energy} kWh at {_yen(order['price_mjpy_kwh'])}"
                yield "  margin", text
        areas = book["area_prices_mjpy_kwh"] or {}
        shown = ", ".join(f"{area} {_yen(price)}" for area, price in areas.items() if price is not None)
        yield "price", f"{design.name}: {PRICES[design.pairs]}" + (f" ({shown} JPY/kWh)" if shown else "")
        path = self._path()
        yield "path", path or "within one area, no line"

    def _path(self) -> str:
        names, path = name_paths(self.story.genesis.rules.grid), int(self.story.contract["path"][0])
        return names[path] if path < len(names) else " + ".join(line["line"] for line in self.lines)


def explain(
    wanted: str,
    run: Path | None = None,
    *,
    world: int = 0,
    policies: Sequence[str] = (),
    trust_source: bool = False,
    keys_of: KeysOf = nobody,
) -> Why:
    """The chain behind a contract of a run, the newest in `runs/` if None.

    Args:
        wanted: `BLOCK/RECORD#ROW` or `SLOT/SELLER/BUYER` (`ledger.why`).
        run: run folder.
        world: which of the run's worlds.
        policies: exported files or names to decide again with, beside those that the run's config names.
        trust_source: execute with the installed programs where the ledger registers others.
        keys_of: the administrators whose epochs are followed, by world.

    Raises:
        ConfigError: the run kept no signed ledger, or no contract or several have the name.
        LedgerError: the ledger does not verify, or is not the one the run made.
    """
    folder = open_run(newest_run() if run is None else run)
    worlds = find_worlds(ledger_of(folder))
    if world >= len(worlds):
        raise ConfigError(f"no world {world} in this run", where="--world", do=f"give 0 to {len(worlds) - 1}")
    story = tell(worlds[world], wanted, trust_source, keys_of(worlds[world].name))
    heads = join_heads([story.head]).hex(), [story.content_head.hex()], bool(story.changes)
    differs = differs_from_run(folder, *heads) if len(worlds) == 1 else ""
    if differs:
        raise LedgerError(differs, where=str(folder.path))
    known = _known_policies(folder, policies)
    named = keys_of(worlds[world].name)
    sides = {side: _sign(story, side, said, worlds[world], folder, known, named) for side, said in story.said.items()}
    return Why(story, dict(sorted(sides.items(), reverse=True)), *_describe_market(story))


def decide_again(story: Story, party: int, envelope: bytes, data: bytes, policy: Bidder) -> Again:
    """Let a policy decide on what a party saw, and compare orders and plan with those in its envelope.

    `data` are the observation's bytes (`agents.knowing`). Limits and energies come out of the same functions as in the
    world and on the device.
    """
    rules, head = story.genesis.rules, decode_heads([envelope])[0]
    view, slot = read_knowledge(data, rules.terms), int(head["slot"])
    stream = Stream(story.genesis.key, np.zeros(1, np.int64), np.array([party]), np.array([slot]))
    made = quotes_of(policy, view, stream, rules.design, None)
    area, first = np.array([rules.accounts.party_area[party]]), np.array([slot + view.open_first])
    rows = write_orders(made.wanted_wh, made.price, view.live, area, first, made.other_wh, made.other_price)
    signed = decode_rows([envelope])
    same_rows = to_wire(rows, ORDER_WIRE).tobytes() == to_wire(signed, ORDER_WIRE).tobytes()
    declares = view.role not in (Role.THERMAL, Role.RETAILER)
    plan = int(made.plan_wh[0, 0]) if declares else ABSENT
    same = same_rows and plan == (int(head["plan"]) if head["says"] & SAYS_PLAN else ABSENT)
    count = f"{len(signed)} order" + "s" * (len(signed) != 1)
    found = f"the same {count} and plan, bit for bit" if same else f"OTHER orders or plan than the {count} signed"
    return Again(f"by {policy.name}; on the recorded observation it gives {found}", same, policy.name, view)


def _sign(
    story: Story,
    side: Side,
    said: Said,
    world: Path,
    folder: RunFolder,
    known: Mapping[bytes, Bidder],
    administrators: Administrators | None,
) -> Signed:
    """One side of the contract, its envelope proved and its decision made again."""
    head = decode_heads([said.envelope])[0]
    proof = prove(world, find_record(world, str(said.leaf)))
    receipt = make_receipt(proof)
    shown = check_receipt(receipt, _sequencer(world, administrators, proof.block.header.epoch))
    names = bytes(head["policy"]), bytes(head["observation"])
    again = _again(story, story.party(side), said, names, folder, known)
    return Signed(
        story.party_name(side),
        said,
        int(head["slot"]),
        shown.header.height,
        shown.header.tree_size,
        len(receipt.proof),
        proof_bytes(receipt),
        *names,
        again,
    )


def _sequencer(world: Path, administrators: Administrators | None, epoch: int) -> Administrators:
    """Whoever signs the headers of an epoch, as the only one: that its block stands in the chain is derived already."""
    if administrators is None or not epoch:
        return administrators_of(world)
    return Administrators(administrators.chain_id, (administrators.sequencer_key(epoch),), 1)


def _again(
    story: Story, party: int, said: Said, names: tuple[bytes, bytes], folder: RunFolder, known: Mapping[bytes, Bidder]
) -> Again:
    decided, saw = names
    if NO_REASON in names:
        return Again("the envelope does not say by what, or from what it saw")
    policy, data = known.get(decided), find_observation(folder.observations, saw)
    if policy is None:
        return Again(f"by policy {decided.hex()[:16]}, which is not at hand: give its file with --policy")
    if data is None:
        what = f"by {policy.name}, on observation {saw.hex()[:16]}, which is not kept in this run: only its hash is"
        return Again(what, policy=policy.name)
    return decide_again(story, party, said.envelope, data, policy)


def _known_policies(folder: RunFolder, given: Sequence[str]) -> dict[bytes, Bidder]:
    """Policies by the hash that envelopes name; a file that is gone is left out unless it was asked for."""
    known = {hash_policy(policy): policy for policy in (find_bidder(text) for text in (*ALWAYS_KNOWN, *given))}
    for text in folder.read_json("config").get("policies", {}).values():
        try:
            policy = find_bidder(str(text))
        except DigitalGridError:
            # the envelope's hash says which policy it was; the answer tells how to supply it
            continue
        known[hash_policy(policy)] = policy
    return known


def _describe_market(story: Story) -> tuple[dict[str, Any] | None, list[dict[str, Any]], list[dict[str, Any]]]:
    return describe_book(story), describe_lines(story), describe_postings(story)


def _describe_signed(signed: Signed, label: Any) -> dict[str, Any]:
    order, again = signed.said.order, signed.again
    return {
        "party": signed.party,
        "envelope": signed.said.record_id,
        "slot": label(signed.slot),
        "order": order if order is None else {name: int(order[name][0]) for name in ORDER_WIRE.names or ()},
        "policy_sha256": signed.policy_hash.hex(),
        "observation_sha256": signed.observation_hash.hex(),
        "proof": {
            "leaf": signed.said.leaf,
            "records": signed.records,
            "block": signed.block,
            "hashes": signed.hashes,
            "bytes": signed.size,
        },
        "policy": again.policy,
        "observation": again.seen,
        "decided_again": again.finding,
        "same": again.same,
    }


def _tell_view(view: View, ahead: int) -> str:
    """The part of what was seen that bears on the contract's slot, `ahead` slots from the step."""
    parts = [f"forecast {_kwh(view.net_wh[0, 0, ahead])} kWh net", f"outside {_yen(view.outside[0, 0, ahead])}"]
    column = ahead - view.open_first
    if 0 <= column < view.position_wh.shape[-1]:
        parts.append(f"contracted {_kwh(view.position_wh[0, 0, column])} kWh")
        for name, quotes in (("best bid", view.best_bid), ("best ask", view.best_ask)):
            price = int(quotes[0, 0, column])
            parts.append(f"{name} {'none' if price == NO_QUOTE else _yen(price)}")
    return ", ".join([*parts, f"stored {_kwh(view.stored_wh[0, 0])} kWh"])


def _kwh(energy_wh: Any) -> str:
    return f"{int(energy_wh) / WH_PER_KWH:,.3f}"


def _yen(price_mjpy: Any) -> str:
    return f"{int(price_mjpy) / MJPY_PER_JPY:,.2f}"
