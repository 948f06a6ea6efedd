"""What a party knew, as bytes: nothing is lost, the device writes what the world writes, damage is told."""

import hashlib

import numpy as np
import pytest

from agents.bidders import find_bidder
from agents.fleet import Role
from agents.knowing import EXTRAS, HEAD, hash_policy, read_knowledge, write_knowledge
from agents.observing import observe
from agents.policies import TRUTHFUL_POLICY, NetworkPolicy, ZeroIntelligence, mark_up
from agents.quoting import quote
from envs.scenario import load_scenario
from envs.world import World
from ledger.reasons import NO_REASON
from market.design import find_design
from market.errors import DataError
from tests.strategies import Dice

SCENARIO = load_scenario("urawa-misono", {"homes.count": 2})


@pytest.fixture(scope="module")
def world() -> World:
    """Two worlds, a few steps in."""
    world = World(SCENARIO, find_design("dgp"), 2, seed=3, days=1)
    world.reset()
    for _ in range(3):
        world.step()
    return world


@pytest.fixture(scope="module")
def mixed() -> World:
    """Homes with a car and batteries of other efficiencies, and homes as before."""
    homes = [
        {"name": "plain", "area": "tokyo", "count": 1},
        {"name": "odd", "area": "tokyo", "count": 2, "vehicle": {}, "battery": {"lowest": 0.2, "discharge": 0.8}},
    ]
    world = World(load_scenario("urawa-misono", {"homes": homes}), find_design("dgp"), 2, seed=3, days=1)
    world.reset()
    for _ in range(3):
        world.step()
    return world


def test_who_has_no_extras_writes_the_first_layout(mixed: World) -> None:
    """The layout is the party's own: 1 for a plain home, 2 with four numbers more for a battery with extras."""
    plain, odd, other = write_knowledge(mixed.view(Role.HOME))[0]
    assert [int.from_bytes(data[:8]) for data in (plain, odd, other)] == [1, 2, 2]
    assert len(odd) == len(plain) + 8 * len(EXTRAS)
    battery = read_knowledge(odd, mixed.terms).battery
    assert [int(getattr(battery, name)[0]) for name in EXTRAS] == [2_000, 0, 800_000, 0]
    assert read_knowledge(plain, mixed.terms).battery.lowest_wh == 0


@pytest.mark.parametrize("name", ["world", "mixed"])
def test_a_decision_is_made_again_from_the_bytes(name: str, request: pytest.FixtureRequest) -> None:
    """Observation, prices and energies of every party come out as in the world, bit for bit."""
    world = request.getfixturevalue(name)
    for role in world.roles:
        view, seen = world.view(role), world.observe(role)
        action = mark_up(0.3).act(seen, world.stream(role))
        made = quote(view, action, world.design)
        for w, parties in enumerate(write_knowledge(view)):
            for p, data in enumerate(parties):
                alone = read_knowledge(data, world.terms)
                assert observe(alone).tobytes() == seen[w : w + 1, p : p + 1].tobytes()
                again = quote(alone, action[w : w + 1, p : p + 1], world.design)
                assert (again.wanted_wh[0, 0] == made.wanted_wh[w, p]).all()
                assert (again.price[0, 0] == made.price[w, p]).all()
                assert again.plan_wh[0, 0] == made.plan_wh[w, p]


def test_bytes_of_another_length_or_layout_are_refused(world: World) -> None:
    """Every cut, every extra byte and an unknown layout is told."""
    data = write_knowledge(world.view(Role.HOME))[0][0]
    damaged = [data[:-1], data[:-8], data + bytes(8), data[: 8 * len(HEAD) - 8], b"", bytes(8) + data[8:]]
    for spoiled in damaged:
        with pytest.raises(DataError):
            read_knowledge(spoiled, world.terms)


def test_policies_are_named_by_what_they_do() -> None:
    """A network by its file's hash, a scripted policy by kind and parameters; one without a name has none."""
    assert hash_policy(NetworkPolicy("x", b"model")) == hashlib.sha256(b"model").digest()
    names = {hash_policy(policy) for policy in (TRUTHFUL_POLICY, mark_up(0.5), mark_up(0.25), ZeroIntelligence())}
    assert len(names) == 4
    assert hash_policy(mark_up(0.5)) == hash_policy(mark_up(0.5))
    assert hash_policy(Dice()) == NO_REASON
    spelt = {hash_policy(find_bidder(text)) for text in ("optimising", "optimising:47", "optimising:47.0,0.9")}
    assert len(spelt) == 1
    assert hash_policy(find_bidder("optimising:46")) not in spelt | {NO_REASON}
    for text in ("zip", "market-maker", "commitment"):
        assert hash_policy(find_bidder(text)) == NO_REASON


def test_the_bytes_are_frozen(world: World) -> None:
    """Each number is a big-endian int64 in the order of HEAD; a truthful home's name never changes."""
    data = write_knowledge(world.view(Role.HOME))[1][0]
    numbers = np.frombuffer(data, ">i8")[: len(HEAD)].tolist()
    assert numbers[:6] == [1, 3, 48, 2, 2, int(Role.HOME)]
    assert numbers[8] == int(world.view(Role.HOME).stored_wh[1, 0])
    assert hash_policy(TRUTHFUL_POLICY).hex() == "1955fd4a23154c8fb54a12662e45d1794337877965299e056b0de9656d335214"
