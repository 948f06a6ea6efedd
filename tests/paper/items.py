"""The paper's 73 items: what each says, and where the product carries it out; docs/paper.md is written from here.

R. Abe, 「ブロックチェーンを使った電力取引の研究と実践」, Denki Hyoron, summer 2018, numbered in the order of the text.
A place beginning with `background` states no claim that a simulation could carry out; `out of scope` is not built.
"""

from typing import NamedTuple


class Item(NamedTuple):
    """One item: section of the paper, what it says, where it is in the product."""

    section: str
    says: str
    where: str


BACKGROUND = "background"
OUT = "out of scope"

ITEMS = (
    Item(
        "1.1", "stolen coins were neither erased nor copied: the technique is robust", f"{BACKGROUND}: virtual currency"
    ),
    Item("1.1", "signed transactions are hashed and linked to the next set", "`ledger.blocks`, `ledger.encoding`"),
    Item("1.1", "the order of transactions fixes the chain; tampering is found", "`ledger.audit`, `ledger.drill`"),
    Item(
        "1.1",
        "several administrators share the blocks; data revive after a server fails",
        "`ledger.replica`, `ledger.recovery`",
    ),
    Item(
        "1.1", "no zero downtime is aimed at", "`ledger.replica`, `ledger.restart`; the saving in cost is not measured"
    ),
    Item("1.1", "rules and contracts can be programs", "`ledger.programs`, `ledger.executions`"),
    Item(
        "1.2",
        "operators adjust generators to hold frequency and voltage",
        f"{OUT}: frequency and voltage are not simulated",
    ),
    Item("1.2", "balance over 30 minutes (30分同時同量)", "`market.slots`, `market.imbalance`"),
    Item(
        "1.2", "small firms own no generators and buy on the market", "`agents.fleet`: stores and homes that only buy"
    ),
    Item(
        "1.2",
        "JEPX's spot market is the centre; more than 90 % is traded outside it",
        "design `spot` ([designs](designs.md)), `market.long_contracts` ([long contracts](long-contracts.md)); "
        "the share is of 2018",
    ),
    Item(
        "1.2",
        "new companies depend on the incumbents' contracts and wires",
        f"{BACKGROUND}: wheeling is a posting (`market.settlement`)",
    ),
    Item("1.3", "a transaction ties generation and demand one to one (相対)", "`market.contracts`"),
    Item(
        "1.3",
        "a contract says when, how much, at what price, from whom, to whom",
        "`market.contracts` ([layouts](layouts.md))",
    ),
    Item(
        "1.3",
        "half-hour contracts in a row equal a long one if the generator runs on",
        "`market.continuity`, `market.blocks`, `agents.year_ahead` ([year-ahead](year-ahead.md))",
    ),
    Item("1.3", "the generator files the contracted plan and generates to it", "`market.planning`"),
    Item(
        "1.3", "the supplier changes every half hour, the supply goes on", "`market.contracts`, [statement](market.md)"
    ),
    Item("1.3", "the consumer files its plan; payment is automatic", "`market.planning`, `market.settlement`"),
    Item(
        "1.3",
        "plans change until one hour before; imbalance hardly ever occurs",
        "`market.opening`; holds with true forecasts, else weakly ([measured](retrade.md))",
    ),
    Item("1.4", "many short contracts have the effect of long ones", "`market.continuity`"),
    Item(
        "1.4", "the flow of a future half hour is known from contracts", "`market.committed`, [lead time](lead-time.md)"
    ),
    Item("1.4", "today: contracts beyond capacity are cancelled, areas split (市場分断)", "`market.splitting`"),
    Item(
        "1.4",
        "contracts beyond the lines' capacity never form",
        "`market.allocation_kernels`, design `dgp`, [lead time](lead-time.md)",
    ),
    Item("1.4", "the DGC automates this", "`agents.dgc`, `agents.device`"),
    Item(
        "1.4",
        "it forecasts, decides quantity and price, and orders",
        "`agents.forecasting`, `agents.quoting`, `agents.ordering`",
    ),
    Item("1.4", "the secret key cannot be taken out", "`ledger.keys`, `ledger.pkcs11` ([keys](keys.md))"),
    Item(
        "1.4",
        "it signs its orders and sends them over 3G/LTE",
        "`ledger.encoding`, `envs.link` ([meters and links](meters-and-links.md))",
    ),
    Item("1.4", "generators answer the demand's buy orders", "`envs.sight`, `market.design`: `demand-first`"),
    Item("1.4", "48 x 365 slots are open at once", "`market.opening`, `market.exchange`"),
    Item("1.4", "agreed price and quantity make a contract, as on a stock market", "`market.pairing`"),
    Item(
        "1.4",
        "peer-to-peer trade changes the power system greatly",
        f"{BACKGROUND}: an expectation; [designs](designs.md) compares",
    ),
    Item(
        "1.4",
        "the DGC measures voltage and flow and sends control signals",
        "`agents.router`: energy set points; voltage is out of scope",
    ),
    Item(
        "1.4",
        "DGC type C has a certified meter: environmental value, recorded",
        "`market.certificates`, `agents.metering`",
    ),
    Item("2.1", "one master file on a central server", f"{BACKGROUND}: the usual way"),
    Item("2.1", "hash for each set, next set with the hash", "`ledger.blocks`, `ledger.merkle`"),
    Item("2.1", "tampering with one server's data shows against the others", "`ledger.comparing`"),
    Item("2.1", "the record can be spread over many servers", "`ledger.replica`, `ledger.store`"),
    Item(
        "2.1",
        "an algorithm decides which data are right",
        "`ledger.quorum`: votes of administrators; no mining, no stake",
    ),
    Item(
        "2.1",
        "data survive as long as one server remains",
        "`ledger.recovery` ([administrators](administrators.md) says what only one held)",
    ),
    Item("2.1", "management is cheap", f"{OUT}: not measured; [benchmarks](benchmarks.md) has speed and bytes"),
    Item("2.2", "input, program and result are kept as history", "`ledger.records`, `ledger.replay`"),
    Item("2.2", "the process is public and can be checked", "`ledger.audit`, `ledger.why` ([why](why.md))"),
    Item("2.2", "assets move without an intermediary", "`market.certificates`; the law is out of scope"),
    Item("2.2", "bills, trading method, matching and prices can be programs", "`ledger.programs`, `market.bills`"),
    Item("3.1", "a thousand and some hundred generators supply everyone", f"{BACKGROUND}: today's system"),
    Item("3.1", "frequency is constant when balanced", f"{OUT}: frequency is not simulated"),
    Item("3.1", "more than 600 companies must match in every half hour", "`market.groups`: balancing groups"),
    Item(
        "3.1",
        "15 minutes elsewhere, shorter to come",
        "`market.slots`: the length is one number; scenarios have 30 minutes",
    ),
    Item("3.2", "small sources that sell by themselves form a balancing group", "`agents.dgc`, `market.groups`"),
    Item("3.2", "contracts months ahead", "`market.opening`: horizon of the design ([lead time](lead-time.md))"),
    Item(
        "3.2",
        "160 GW; 50 million sites of about 3 kW would cover it",
        "`market.units`: a book's bound holds it; 3 kW give 150 GW, 160 need 3.2",
    ),
    Item(
        "3.2",
        "electric vehicles and home fuel cells",
        "`agents.electric_vehicle`, `agents.fuel_cell` ([devices](devices.md))",
    ),
    Item(
        "3.2", "central control cannot handle so many", "`market.batch`, scenario `town`; [benchmarks](benchmarks.md)"
    ),
    Item("3.2", "a kind of robot with a key makes it possible", "`agents.device`"),
    Item("3.3", "partners of the demonstration", f"{BACKGROUND}: names"),
    Item("3.3", "adopted by the Ministry of the Environment, Urawa-Misono", f"{BACKGROUND}: scenario `urawa-misono`"),
    Item("3.3", "60 kW PV, 5 houses, 5 stores trade", "`envs.scenario`: [urawa-misono](scenarios/urawa-misono.md)"),
    Item("3.3", "in future even PV generates only what was contracted", "`agents.curtailment`, `envs.delivery`"),
    Item("3.3", "DGR ratings: 20 kW; 5 kW, 5 kW, 6 kW, 7.5 kW", "`agents.router`, `envs.groups`"),
    Item("3.3", "the same hardware with different software", "`agents.router`"),
    Item("3.3", "a simulation with dummy thermal generation is planned", "`agents.thermal`, `envs.groups`"),
    Item(
        "3.4",
        "a model project for the CO2 value of self-consumed renewables",
        f"{OUT}: only exported energy is certified",
    ),
    Item("3.4", "about 70 organisations are interested", f"{BACKGROUND}: names"),
    Item("4.1", "about 20 investors", f"{BACKGROUND}: names"),
    Item(
        "4.1",
        "within one area, service providers buy from generation",
        "`agents.dgc`: service providers represent groups and do not bid",
    ),
    Item("4.1", "demand and supply plans are filed for each contract", "`market.planning`"),
    Item("4.1", "payment through a collection agency (収納代行)", "`market.settlement`"),
    Item("4.2", "demand is registered by meter; retailers file demand and procurement", "`market.planning`"),
    Item("4.2", "plans monthly, weekly, daily, the last one hour before", "`market.planning`"),
    Item(
        "4.2", "deviation from plan by smart meter is imbalance, with penalty", "`market.imbalance`, `agents.metering`"
    ),
    Item("4.2", "generation and demand each follow their plan (計画値同時同量)", "`market.planning`"),
    Item("4.2", "who supplied whom is certified by the contract", "`market.contracts`, `market.statements`"),
    Item("4.2", "short contracts exchange real power every half hour", "`envs.delivery`"),
    Item("5", "funds that replace FIT (固定価格買取)", f"{OUT}: no funds; feed-in is the price of last resort"),
)
"""In the order of the paper; item n stands at place n - 1."""
