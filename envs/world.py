"""World.step: the one trip that every view takes, for any number of parallel worlds.

A step reads downward: observe, act, quote, admit, trade, close the gate, deliver, meter, settle,
record, reward. Training, evaluation, simulation and comparison differ in who acts and in what is
recorded, never in the trip. State lies in dense columns over (worlds, parties, slots of the episode);
worlds run in lockstep, each from its own midnight.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agents.devices import wear_cost
from agents.draw import Purpose, draw
from agents.fleet import ROLE_NAMES, Role
from agents.metering import read_meter
from agents.observing import WIDTH, Floats, View, band_fraction_ppm
from agents.policies import TRUTHFUL_POLICY, Stream
from agents.quoting import Quote, quote
from agents.strategies import Bidder, Memory, Strategy
from envs.behind_meter import BehindMeter
from envs.books import Books
from envs.collecting import collect_orders
from envs.delivery import deliver
from envs.episode import AHEAD, Episode, draw_episode, held_out_starts, start_charge, training_starts
from envs.link import Link
from envs.long_contracts import agree_long_contracts, enter_long_contracts
from envs.outages import Announced, Outages, record_of
from envs.population import accounts_of, certified_of_party, check_numbers, fleet_of, source_of_party
from envs.public_year import PublicYear, public_year
from envs.reasons import reasons_of
from envs.scenario_schema import Scenario
from envs.sight import Sight, seats_of
from envs.tally import Tally
from ledger.admission import fill_unheard, number_arrivals, withdraw_silent
from ledger.content import StepRecord
from ledger.encoding import ABSENT, canonical_json
from ledger.keeper import Keeper, Mode, Worlds, open_keeper
from ledger.reasons import ObservationLog
from ledger.rules import Rules
from ledger.segment_store import SegmentStore
from ledger.store import LogStore
from market.contracts import label_sources, no_contracts
from market.design import MarketDesign
from market.errors import ConfigError
from market.exchange import Outcome, trade
from market.imbalance import find_capped
from market.opening import live_after_gate
from market.orders import no_orders
from market.planning import last_resort
from market.settlement import post_delivery
from market.slots import HALF_HOURS
from market.tables import Table, join_rows, pick_rows
from market.units import PPM, Int
from market.validation import Codes

Mask = npt.NDArray[np.bool_]

SELLERS = (Role.SOLAR, Role.THERMAL)
"""Roles that only sell: under `demand-first` they see the step's buy orders before they quote (paper 1.4)."""
TRADED_MEMORY = 4
"""The usual traded price of a half hour moves a quarter of the way to each day's new one."""


@dataclass
class Step:
    """What a step returns: rewards, whether the episode ended, and what happened.

    reward_ujpy (worlds, parties): money as it accrues, wear and, at the end, stored energy;
    contracts: formed in this step, last resort included; codes: refusal of each order row given;
    given: those rows; capacity_wh: room of the lines when they traded; outage: what was announced for the step that
    comes next, its money counted here already; set_point_wh (worlds, parties, 2): what each DGC commanded its router in
    the delivered slot, battery terminals wanted [Wh, + is charge] and solar allowed [Wh].
    """

    reward_ujpy: Int
    done: bool
    given: Table
    codes: Codes
    contracts: Table
    outcome: Outcome
    reading_wh: Int
    money_ujpy: Int
    capacity_wh: Int
    expired: Table = field(default_factory=no_orders)
    outage: Announced | None = None
    set_point_wh: Int = field(default_factory=lambda: np.zeros((0, 0, 2), np.int64))


class World:
    """Parallel worlds of one scenario under one market design.

    Args:
        scenario: who lives there and at what prices.
        design: the market rules.
        worlds: number of parallel worlds.
        seed: key of world 0; world i has key seed + i, and every later episode moves on by `worlds`.
        policies: who bids for each role; truthful where absent. Actions given to `step` come first.
        year: public prices and weather; the scenario's synthetic year if None.
        days: length of an episode; the scenario's if None.
        held_out: start episodes in the held-out weeks.
        ledger: `off`, `digest` or `full`.
        folder: where a `full` ledger is written.
        warm_up_days: first days that the tally leaves out.
        external: public keys of devices outside this process by (world, party); `full` ledger only.
    """

    def __init__(
        self,
        scenario: Scenario,
        design: MarketDesign,
        worlds: int = 1,
        seed: int = 0,
        *,
        policies: Mapping[Role, Bidder] | None = None,
        year: PublicYear | None = None,
        days: int | None = None,
        held_out: bool = False,
        ledger: Mode = "digest",
        folder: Path | None = None,
        warm_up_days: int = 0,
        external: Mapping[tuple[int, int], bytes] | None = None,
    ) -> None:
        check_numbers(scenario, ledger)
        self.scenario, self.worlds, self.seed = scenario, worlds, seed
        self.design = design
        self.policies = dict(policies or {})
        self.year = year or public_year(scenario, None)
        self.days = days or scenario.episode_days
        self.held_out, self.mode, self.folder, self.external = held_out, ledger, folder, external
        self.warm_up = warm_up_days * HALF_HOURS.per_day
        self.calendar = HALF_HOURS
        self.slots = self.days * self.calendar.per_day
        self.fleet = fleet_of(scenario)
        self.seats = seats_of(self.fleet)
        self.accounts = accounts_of(scenario, self.fleet)
        self.grid = self.accounts.grid
        self.terms = scenario.settlement_terms()
        self.sources = source_of_party(self.fleet)
        self.fuel = np.maximum(self.fleet.cost, 0)
        self.roles = tuple(role for role in Role if role != Role.RETAILER and role in self.seats)
        self.answering = SELLERS if design.arrivals == "demand-first" else ()
        self.rules = Rules(
            design,
            self.accounts,
            self.terms,
            tuple(int(f) for f in self.fuel),
            tuple(int(s) for s in self.sources),
            self.slots,
            certified=certified_of_party(self.fleet),
            agreed=agree_long_contracts(scenario, self.fleet, self.year),
        )
        self.key = seed - worlds
        # where a run with a full ledger keeps what the parties saw; set by who opens the world
        self.observations: ObservationLog | None = None
        # where its blocks go; who opens the world may resume a run that was stopped
        self.open_store: Callable[[Path], LogStore] = SegmentStore
        self._blanks: dict[Role, Floats] = {}
        self._memories: dict[Role, Memory] = {}
        self._quoted: dict[Role, Quote] = {}
        self._is_external = np.zeros((worlds, self.fleet.count), np.bool_)
        for where in external or ():
            self._is_external[where] = True

    # ---------------------------------------------------------------- episode

    def reset(self, seed: int | None = None, starts: Int | None = None) -> None:
        """Begin a new episode; `seed` sets world 0's key anew, `starts` (worlds,) the first slots."""
        self.key = self.key + self.worlds if seed is None else seed
        if starts is None:
            pick = held_out_starts(self.year, self.worlds, self.days) if self.held_out else None
            starts = training_starts(self.year, self.key, self.worlds, self.days) if pick is None else pick
        self.episode: Episode = draw_episode(self.scenario, self.fleet, self.year, self.key, starts, self.slots)
        shape = (self.worlds, self.fleet.count)
        self.t = 0
        self._memories, self._quoted = {}, {}
        self.stored_wh = start_charge(self.fleet, self.key, starts)
        self.behind = BehindMeter(self.fleet, self.episode, self.key, self.scenario.forecast == "perfect")
        self._counted_from = self._begun_with = self.stored_wh, self.behind.cars_wh
        self.books = Books(starts, self.slots, self._ring(), self.terms, self.accounts)
        self.position_wh = self.books.position_wh
        self.plan_wh = np.zeros((*shape, self.slots + self.calendar.gate), np.int64)
        self.reading_wh = np.full(shape, ABSENT, np.int64)
        self.set_point_wh = np.zeros((*shape, 2), np.int64)
        self._register_wh = np.zeros((*shape, 2), np.int64)
        self._link = Link(self.scenario.link, self.key, self._is_external)
        self.capacity_wh = self.episode.capacity_wh.reshape(self.worlds * self.slots, len(self.grid.lines), 2)
        self.flow_wh = np.zeros_like(self.capacity_wh)
        outside = np.moveaxis(self.episode.outside[..., : self.slots], 1, 2).reshape(-1, len(self.grid.areas))
        self.retail = self.terms.outside_options(outside)
        self.capped = find_capped(self.terms.imbalance, self.episode.outside[..., : self.slots], self.calendar)
        self.resting = no_orders()
        self.traded_ppm = np.full((self.worlds, self.calendar.per_day), PPM // 2, np.int64)
        self.tally = Tally.empty(self.worlds, self.fleet.count, self.accounts.count)
        self._sight = Sight(self)
        self._opening = self._open_first_slots()
        self._outages = Outages(self.scenario.outages, tuple(line.name for line in self.grid.lines), self.worlds)
        self._outages.note(self._opening)
        self._announced = self._outages.announce(self)
        self._sight = Sight(self)
        self.keeper: Keeper = self._open_ledger()

    def _open_ledger(self) -> Keeper:
        worlds = Worlds(
            self.rules,
            canonical_json(self.scenario.model_dump(mode="json")).decode(),
            self.key + np.arange(self.worlds),
            self.episode.first_slot,
            self.episode.capacity_wh,
            np.moveaxis(self.episode.outside[..., : self.slots], 1, 2),
            opening=self._opening,
        )
        return open_keeper(self.mode, worlds, self.folder, self.external, self.open_store)

    def _ring(self) -> int:
        """Slots that can have contracts at one time: from the current one to the last open one, or all of them."""
        last = self.calendar.gate
        if self.design.accepts == "rolling":
            last = min(self.slots, self.calendar.gate + self.design.horizon) - 1
        elif self.design.accepts in ("daily", "sessions"):
            last = AHEAD - 1
        return self.slots if self.rules.agreed else last + 2

    # ---------------------------------------------------------------- what is seen

    @property
    def now(self) -> Int:
        """Current slot of each world (worlds,)."""
        return self.episode.first_slot + self.t

    @property
    def slot_of_day(self) -> int:
        """Half hour of the day, the same in all worlds."""
        return self.t % self.calendar.per_day

    def open_columns(self) -> tuple[int, int]:
        """First open slot and one past the last, counted from the start of the episode."""
        return self._sight.first, self._sight.stop

    def view(self, role: Role) -> View:
        """What the parties of a role know now."""
        self._hear_demand(role)
        return self._sight.view(role)

    def observe(self, role: Role) -> Floats:
        """Observations of a role's parties (worlds, parties of the role, WIDTH)."""
        self._hear_demand(role)
        return self._sight.observe(role)

    def observe_party(self, role: Role, row: int) -> Floats:
        """Observations of one party of a role (worlds, WIDTH), `row` counted within the role."""
        self._hear_demand(role)
        policy = self._bidder(role)
        if not isinstance(policy, Strategy) and policy.needs_observation:
            self.observe(role)
        return self._sight.observe_party(role, row)

    def stream(self, role: Role) -> Stream:
        """The dice of a role's parties at this step."""
        return Stream(self.key, np.arange(self.worlds), self.fleet.rows(role), self.now)

    # ---------------------------------------------------------------- the trip

    def step(
        self, actions: Mapping[Role, Floats] | None = None, envelopes: Mapping[tuple[int, int], bytes] | None = None
    ) -> Step:
        """One half hour of every world.

        Args:
            actions: (worlds, parties of the role, ACTIONS) per role; the role's policy acts where absent.
            envelopes: signed envelopes of outside devices by (world, party), in place of the world's own.
        """
        given, plan = self._write_orders(self._quote_all(actions))
        given, plan, sent = self._link.carry(given, plan, self.reading_wh, self.now)
        arrival = self._arrival
        reasons = reasons_of(self, actions)
        heard = self.keeper.admit(self.now, given, plan, sent, arrival, envelopes, reasons)
        given, codes = heard.orders, heard.codes
        withdrawn = no_orders()
        if heard.silent is not None:
            self.resting, withdrawn = withdraw_silent(self.resting, heard.silent)
        live, capacity = codes == 0, self.capacity_wh
        outcome = self._trade(pick_rows(given, live))
        codes[live] = outcome.codes
        reward = np.zeros((self.worlds, self.fleet.count), np.int64)
        self.books.enter(outcome.contracts, reward)
        resort = self._pass_gate(heard.plan, reward)
        contracts = self._join(outcome.contracts, resort)
        expired = join_rows(withdrawn, self._drop_closed(outcome.resting))
        money = self._deliver(reward)
        self.keeper.record(
            StepRecord(
                self.now,
                arrival,
                given,
                codes,
                heard.plan,
                heard.reading,
                contracts,
                self.reading_wh,
                money,
                *record_of(self._announced),
            )
        )
        if codes.any():
            refused = pick_rows(given, codes != 0)
            np.add.at(self.tally.refused, (refused["world"], refused["party"]), 1)
        self.t += 1
        self._quoted = {}
        self._announce(contracts, reward)
        self._sight = Sight(self)
        done = self.t == self.slots
        if done:
            self._close_episode(reward)
        return Step(
            reward,
            done,
            given,
            codes,
            contracts,
            outcome,
            self.reading_wh,
            money,
            capacity,
            expired,
            self._announced,
            self.set_point_wh,
        )

    def match(self, orders: Table) -> Outcome:
        """What matching numbered rows with what rests would come to; nothing of the world moves."""
        return trade(
            self.design,
            self.grid,
            self.resting,
            orders,
            self.capacity_wh,
            self.flow_wh,
            self.now,
            retail=self.retail,
            calendar=self.calendar,
        )

    def _trade(self, admitted: Table) -> Outcome:
        """Match admitted rows with what rests; the lines' use moves on."""
        outcome = self.match(admitted)
        label_sources(outcome.contracts, self.sources)
        self.flow_wh = outcome.flow_wh
        return outcome

    def _announce(self, contracts: Table, reward: Int) -> None:
        """Tell the outages of the step that begins; curtailed energy leaves the books."""
        self._outages.note(contracts)
        self._announced = self._outages.announce(self)
        if self._announced:
            self.books.curtail(self._announced.response, reward)

    def _quote_all(self, actions: Mapping[Role, Floats] | None) -> dict[Role, Quote]:
        """Quotes of every role; under `demand-first` the demand speaks, then the sellers see it and answer."""
        demand: dict[Role, Quote] = {r: self._quote(r, actions) for r in self.roles if r not in self.answering}
        if self.answering and not self._sight.has_heard:
            self._sight.hear(self._number(self._write_orders(demand)[0]))
        return {role: demand[role] if role in demand else self._quote(role, actions) for role in self.roles}

    def _quote(self, role: Role, actions: Mapping[Role, Floats] | None) -> Quote:
        bidder = self._bidder(role)
        if isinstance(bidder, Strategy) and (actions is None or role not in actions):
            return self._quote_strategy(role, bidder)
        return quote(self._sight.view(role), self._choose(role, actions), self.design)

    def _quote_strategy(self, role: Role, strategy: Strategy) -> Quote:
        """The quote of a strategy in this step, made once: demand may be asked before sellers are shown it."""
        if role not in self._quoted:
            view, stream = self._sight.view(role), self.stream(role)
            if role not in self._memories:
                self._memories[role] = strategy.begin(view, stream)
            self._quoted[role] = strategy.quote(view, stream, self.design, self._memories[role])
        return self._quoted[role]

    def _bidder(self, role: Role) -> Bidder:
        return self.policies.get(role, TRUTHFUL_POLICY)

    def _hear_demand(self, role: Role) -> None:
        """Before a seller that answers demand is shown anything: let the demand's own policies speak."""
        if role in self.answering and not self._sight.has_heard:
            demand: dict[Role, Quote] = {r: self._quote(r, None) for r in self.roles if r not in self.answering}
            self._sight.hear(self._number(self._write_orders(demand)[0]))

    def _number(self, orders: Table) -> Table:
        """The rows as they would arrive in this step, for a look at the book they would leave."""
        orders = orders if self._link.is_perfect else self._link.arrived(orders, self._link.fate(self.now))
        number_arrivals(orders, self._arrival, np.full(self.worlds, self.t))
        world = orders["world"].astype(np.int64)
        orders["market"] = world * self.slots + orders["slot"] - self.episode.first_slot[world]
        return orders

    def _choose(self, role: Role, actions: Mapping[Role, Floats] | None) -> Floats:
        return actions[role] if actions is not None and role in actions else self.act(role)

    def act(self, role: Role) -> Floats:
        """Actions of a role's policy now (worlds, parties of the role, ACTIONS)."""
        policy = self._bidder(role)
        if isinstance(policy, Strategy):
            what = f"{policy.name!r} quotes by itself and has no action to give"
            raise ConfigError(what, where=f"policy of {ROLE_NAMES[role]}", do="let this role bid by a policy")
        if policy.needs_observation:
            return policy.act(self.observe(role), self.stream(role))
        return policy.act(self._blank(role), self.stream(role))

    def _blank(self, role: Role) -> Floats:
        """An observation for policies that look at its shape only."""
        if role not in self._blanks:
            self._blanks[role] = np.zeros((self.worlds, len(self.fleet.rows(role)), WIDTH), np.float32)
        return self._blanks[role]

    def _write_orders(self, quotes: Mapping[Role, Quote]) -> tuple[Table, Int]:
        """Order rows of all parties and the declared plans, without those of devices outside this process."""
        first_open = self.episode.first_slot + self._sight.first
        orders, plan = collect_orders(quotes, self.fleet, self.seats, self._sight.live, first_open)
        if self.external:
            orders = pick_rows(orders, ~self._is_external[orders["world"], orders["party"]])
        return orders, plan

    @property
    def _arrival(self) -> Int:
        """Rank of each party in this step's order of arrival (worlds, parties): drawn, or drawn with demand first."""
        parties = np.arange(self.fleet.count)
        bits = draw(self.key, np.arange(self.worlds)[:, None], parties, self.now[:, None], Purpose.ARRIVAL)
        answers = np.broadcast_to(np.isin(self.fleet.role, list(self.answering)), bits.shape)
        order = np.lexsort((bits, answers), axis=1)
        # the place of each party in that order is the inverse permutation
        return np.argsort(order, axis=1)

    def _close_gate(self, t: int, plan: Int, reward: Int) -> Table:
        """Fix the plan of slot column t; the retailer of last resort fills what is not contracted."""
        position = self.position_wh[:, :, t]
        contracts = last_resort(
            fill_unheard(plan, position),
            position,
            self.episode.outside[:, :, t],
            self.episode.first_slot + t,
            self.now,
            np.arange(self.worlds) * self.slots + t,
            self.terms,
            self.accounts,
        )
        self.books.enter(contracts, reward)
        self.plan_wh[:, :, t] = self.position_wh[:, :, t]
        return contracts

    def _open_first_slots(self) -> Table:
        """Long contracts stand; the gates of the first hour are closed and the retailer covers the forecasts."""
        self.opening_reward_ujpy = np.zeros((self.worlds, self.fleet.count), np.int64)
        tables, forecast = [enter_long_contracts(self)], self._sight.net_forecast(slice(0, self.fleet.count))
        for t in range(self.calendar.gate):
            plan = np.where(self.fleet.dispatchable, ABSENT, forecast[:, :, t])
            tables.append(self._close_gate(t, plan, self.opening_reward_ujpy))
        return self._join(*tables)

    def _pass_gate(self, plan: Int, reward: Int) -> Table:
        """Close the gate of this step; the first step also accrues what the opening cost."""
        if self.t == 0:
            reward += self.opening_reward_ujpy
        t = self.t + self.calendar.gate
        if t >= self.slots:
            return no_contracts()
        contracts = self._close_gate(t, plan, reward)
        self._remember_traded(t)
        return contracts

    def _join(self, *tables: Table) -> Table:
        """Contracts of several tables sorted by world, else in the order given."""
        rows = join_rows(*tables)
        return rows if self.worlds == 1 else pick_rows(rows, np.argsort(rows["world"], kind="stable"))

    def _drop_closed(self, resting: Table) -> Table:
        """Keep the orders whose gate is still open; return the others, which expire."""
        alive = live_after_gate(self.calendar, self.now[resting["world"]], resting["slot"])
        self.resting = pick_rows(resting, alive)
        return pick_rows(resting, ~alive)

    def _remember_traded(self, t: int) -> None:
        """Move the usual traded price of the half hour towards the mean price of slot column t."""
        energy, paid = self.books.take_traded(t)
        some = energy > 0
        site = self.scenario.area_row(self.scenario.site_area)
        outside = self.episode.outside[:, site, t]
        mean = paid // np.maximum(energy, 1)
        fraction = band_fraction_ppm(mean, self.terms.feed_in_price(outside), self.terms.consumption_value(outside))
        usual = self.traded_ppm[:, t % self.calendar.per_day]
        usual += np.where(some, (fraction - usual) // TRADED_MEMORY, 0)

    def _deliver(self, reward: Int) -> Int:
        """Run the devices through the current slot, meter and settle; postings (worlds, accounts, kinds)."""
        t = self.t
        plan = self.plan_wh[:, :, t]
        delivery = deliver(
            self.fleet, self.stored_wh, self.episode.load_wh[:, :, t], self.episode.solar_wh[:, :, t], plan
        )
        self.wear_ujpy = wear_cost(self.fleet.battery, delivery.passed_wh)
        if self.behind.is_used:
            self._sight.make_schedule()
            self.behind.deliver(t, delivery, plan, self.stored_wh, self.wear_ujpy)
            reward -= self.behind.own.cost_ujpy.sum(-1)
        used_wh, self.passed_wh, self.stored_wh, self.set_point_wh = delivery
        self.reading_wh, self._register_wh = self._read(used_wh)
        due, energy, value = self.books.due(t)
        money = due.copy()
        outside = self.episode.outside[:, :, t]
        rules, capped = (self.fuel, self.terms, self.accounts), self.capped[:, :, t]
        reward += post_delivery(money, self.reading_wh, plan, outside, *rules, slot=self.now, capped=capped)
        reward -= self.wear_ujpy
        if t >= self.warm_up:
            self.tally.add_slot(energy, value, self.reading_wh, plan, money)
            self.tally.add_own(self.wear_ujpy, self.behind.own if self.behind.is_used else None)
            self.tally.split += self.full_lines(t).any(-1)
        elif t == self.warm_up - 1:
            self._counted_from = self.stored_wh, self.behind.cars_wh
        self.books.clear(t)
        return money

    def _read(self, used_wh: Int) -> tuple[Int, Int]:
        """Readings of a slot, and what the registers carry; retailers have no meter of their own."""
        resolution = self.scenario.meter.resolution_wh
        if resolution == 1:
            return used_wh, self._register_wh
        reading, rest = read_meter(used_wh, self._register_wh, resolution)
        return np.where(self.fleet.role == Role.RETAILER, used_wh, reading), rest

    def full_lines(self, t: int) -> Mask:
        """Which lines are full in slot column t, in either direction (worlds, lines)."""
        markets = np.arange(self.worlds) * self.slots + t
        room, use = self.capacity_wh[markets], self.flow_wh[markets]
        net = use[..., 0] - use[..., 1]
        return np.asarray((net >= room[..., 0]) | (-net >= room[..., 1]))

    def _close_episode(self, reward: Int) -> None:
        """Credit stored energy gained, charge energy missing, at the middle of the period's mean band."""
        self.tally.credit_ujpy[:] = self._storage_credit(self._counted_from, self.warm_up)
        reward += self._storage_credit(self._begun_with, 0)
        self.keeper.close()

    def _storage_credit(self, before: tuple[Int, Int], first: int) -> Int:
        outside = self.episode.outside[..., first : self.slots]
        band = self.terms.feed_in_price(outside) + self.terms.consumption_value(outside)
        middle = (band.sum(-1) // (2 * outside.shape[-1]))[:, self.fleet.area]
        return np.asarray(self.behind.gained_wh(self.stored_wh, *before) * middle)
