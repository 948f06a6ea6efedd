"""One home and one slot, Wh by Wh: the contract is followed in single steps, so that the order of devices is plain."""

from dataclasses import dataclass, field

PPM = 10**6


@dataclass
class Cells:
    """A battery; `stored` changes."""

    stored: int
    power_in: int
    power_out: int
    most: int
    least: int
    eff_in: int
    eff_out: int
    leak: int
    wear: int

    def may_take(self) -> int:
        """Most energy in at the terminals."""
        return min(self.power_in, (self.most - self.stored) * PPM // self.eff_in)

    def may_give(self, kept: int = 0) -> int:
        """Most energy out at the terminals, keeping this much."""
        return min(self.power_out, max(self.stored - max(self.least, kept), 0) * self.eff_out // PPM)

    def finish(self, passed: int) -> int:
        """The slot ends with this at the terminals; returns the wear [uJPY]."""
        if passed > 0:
            self.stored += passed * self.eff_in // PPM
        else:
            drawn, rest = divmod(-passed * PPM, self.eff_out)
            self.stored -= drawn + (rest > 0)
        self.stored = self.stored * (PPM - self.leak) // PPM
        return max(-passed, 0) * self.wear


@dataclass
class Tank:
    """Hot water."""

    held: int
    most: int
    leak: int
    vented: int = 0

    def room(self, drawn: int) -> int:
        """Heat that fits."""
        return max(self.most + drawn - self.held * (PPM - self.leak) // PPM, 0)

    def finish(self, made: int, drawn: int) -> int:
        """The slot ends; returns the heat that is missing."""
        self.held = self.held * (PPM - self.leak) // PPM + made
        served = min(drawn, self.held)
        self.held -= served
        self.vented = max(self.held - self.most, 0)
        self.held -= self.vented
        return drawn - served


@dataclass
class Home:
    """Devices of one home; `cell` and `pump` are numbers of the device, None without."""

    battery: Cells
    car: Cells | None = None
    feeds: bool = False
    cell: dict[str, int] | None = None
    cell_tank: Tank = field(default_factory=lambda: Tank(0, 0, 0))
    pump: dict[str, int] | None = None
    pump_tank: Tank = field(default_factory=lambda: Tank(0, 0, 0))
    limit: int | None = None
    curtails: bool = False


@dataclass
class Slot:
    """What the slot brings."""

    load: int
    solar: int
    plan: int
    heat: int
    pump_plan: int
    cop: int
    car_plan: int
    plugged: bool
    needs: int
    driving: int


def run_home(home: Home, slot: Slot) -> dict[str, int]:
    """Every number of the step by name."""
    water = run_pump(home, slot)
    power, gas = run_cell(home, slot, water)
    charge, least, most = car_bounds(home, slot)
    battery, solar = 0, slot.solar

    def reading() -> int:
        return slot.load + water - power - solar + battery + charge

    give, take = home.battery.may_give(), home.battery.may_take()
    while reading() > slot.plan and battery > -give:
        battery -= 1
    while reading() < slot.plan and battery < take:
        battery += 1
    while reading() > slot.plan and charge > least:
        charge -= 1
    while reading() < slot.plan and charge < most:
        charge += 1
    while home.curtails and solar > 0 and reading() < min(slot.plan, 0):
        solar -= 1
    while home.limit is not None and reading() < -home.limit:
        if solar > 0:
            solar -= 1
        elif battery < 0:
            battery += 1
        elif charge < 0:
            charge += 1
        else:
            break
    result = {"reading": reading(), "battery": battery, "vehicle": charge, "solar": solar, "cell": power}
    wear = home.battery.finish(battery) + (home.car.finish(charge) if home.car else 0)
    return result | {"heater": water, "gas": gas, "wear": wear, "away": drive(home, slot)}


def car_bounds(home: Home, slot: Slot) -> tuple[int, int, int]:
    """Planned charge, and how far the contract may move it."""
    if home.car is None:
        return 0, 0, 0
    most = home.car.may_take() if slot.plugged else 0
    planned = max(min(slot.car_plan, most), 0)
    if not home.feeds:
        return planned, planned, planned
    gives = home.car.may_give(slot.needs) if slot.plugged and planned == 0 else 0
    return planned, planned - gives, most


def drive(home: Home, slot: Slot) -> int:
    """Take the trip; returns what is charged away from home."""
    if home.car is None or home.car.most == 0:
        return 0
    used = min(slot.driving, max(home.car.stored - home.car.least, 0))
    home.car.stored -= used
    return slot.driving - used


def run_pump(home: Home, slot: Slot) -> int:
    """Electricity of the water heater; a home with a fuel cell draws its heat there."""
    if home.pump is None:
        return 0
    drawn = slot.heat if home.pump["power"] and not (home.cell and home.cell["most"]) else 0
    most = min(home.pump["power"], home.pump_tank.room(drawn) * PPM // slot.cop)
    taken = min(max(slot.pump_plan, 0), most)
    return taken + home.pump_tank.finish(taken * slot.cop // PPM, drawn)


def run_cell(home: Home, slot: Slot, water: int) -> tuple[int, int]:
    """Electricity and gas of the fuel cell."""
    cell = home.cell
    if cell is None:
        return 0, 0
    drawn = slot.heat if cell["most"] else 0
    room = home.cell_tank.room(drawn)
    wanted = slot.load + water
    if cell["exports"]:
        wanted += cell["most"] if home.limit is None else home.limit
    made = min(wanted, cell["most"])
    while made > 0 and burn(cell, made) * cell["heat"] // PPM > room:
        made -= 1
    if made < cell["least"]:
        made = cell["least"] if cell["always"] else 0
    output = min(made, wanted)
    missing = home.cell_tank.finish(burn(cell, made) * cell["heat"] // PPM + made - output, drawn)
    return output, burn(cell, made) - (-missing * PPM // cell["boiler"])


def burn(cell: dict[str, int], output: int) -> int:
    """Gas for an output, rounded up."""
    return -(-output * PPM // cell["electric"])
