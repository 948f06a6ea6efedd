"""What a DGC sees, and the one observation layout of all views, policies and devices.

A `View` holds integers as a DGC knows them at the start of a step; `observe` turns them into the
float32 features of `OBSERVATION`. Every feature is an exact integer until one elementwise scaling at
the end, so the same view gives the same bits in any batch, in the world and on the device.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from agents.devices import Battery, run_battery, within
from market.settlement import Terms
from market.units import PPM, Int

Floats = npt.NDArray[np.float32]

OPEN_SEEN = 4
"""Open slots in the observation, at most."""
DAY, SIX_HOURS, THREE_HOURS = 48, 12, 6
NO_QUOTE = np.iinfo(np.int64).min
LAYOUT = "digitalgrid-observation/1"
EVERY_PARTY = slice(None)


@dataclass(frozen=True)
class ObservationField:
    """One feature: feature = (integer + offset) / scale, clipped to [low, high]."""

    name: str
    unit: str
    scale: float
    offset: float
    low: float
    high: float
    meaning: str


def _per_slot(index: int) -> tuple[ObservationField, ...]:
    at = f"open slot {index}"
    return (
        ObservationField(f"net_forecast_{index}", "Wh", 2_500, 0, -10, 10, f"forecast net energy of {at}, + is import"),
        ObservationField(f"position_{index}", "Wh", 2_500, 0, -10, 10, f"net contracted energy of {at}, + is import"),
        ObservationField(f"price_{index}", "mJPY/kWh", 5_000, 0, -20, 20, f"outside price of {at} less the day's mean"),
        ObservationField(f"best_bid_{index}", "ppm", PPM, 0, 0, 1, f"best reachable bid of {at} within the band"),
        ObservationField(f"best_ask_{index}", "ppm", PPM, 0, 0, 1, f"best reachable ask of {at} within the band"),
    )


OBSERVATION: tuple[ObservationField, ...] = (
    ObservationField("sin_day", "ppm", PPM, 0, -1, 1, "sine of the gate slot's time of day"),
    ObservationField("cos_day", "ppm", PPM, 0, -1, 1, "cosine of the gate slot's time of day"),
    ObservationField("sin_half_day", "ppm", PPM, 0, -1, 1, "second harmonic, sine"),
    ObservationField("cos_half_day", "ppm", PPM, 0, -1, 1, "second harmonic, cosine"),
    ObservationField("stored", "Wh", 5_000, -5_000, -1, 20, "stored energy now"),
    ObservationField("stored_at_gate", "Wh", 5_000, -5_000, -1, 20, "stored energy after the slots already planned"),
    ObservationField("role", "", 1, 0, 0, 4, "role of the party"),
    ObservationField(
        "price_day", "mJPY/kWh", 5_000, -10_000, -2, 60, "mean outside price of the next 24 h from the gate"
    ),
    ObservationField("price_gate", "mJPY/kWh", 5_000, 0, -20, 20, "outside price of the gate slot less the day's mean"),
    ObservationField("price_next", "mJPY/kWh", 5_000, 0, -20, 20, "outside price of the slot after, less the mean"),
    ObservationField("price_low", "mJPY/kWh", 5_000, 0, -20, 20, "lowest outside price of the day, less the mean"),
    ObservationField("price_high", "mJPY/kWh", 5_000, 0, -20, 60, "highest outside price of the day, less the mean"),
    ObservationField("price_3h", "mJPY/kWh", 5_000, 0, -20, 20, "mean outside price of 3 h, less the day's mean"),
    ObservationField("price_6h", "mJPY/kWh", 5_000, 0, -20, 20, "mean outside price of 6 h, less the day's mean"),
    ObservationField("solar_day", "Wh/kW", 3_000, 0, 0, 4, "forecast solar yield of the next 24 h"),
    ObservationField("solar_6h", "Wh/kW", 3_000, 0, 0, 4, "forecast solar yield of the next 6 h"),
    ObservationField("traded_day", "ppm", PPM, 0, 0, 1, "usual traded price within the band, mean over the day"),
    ObservationField("traded_gate", "ppm", PPM, 0, 0, 1, "the same at the gate slot's time of day"),
    ObservationField("traded_1h", "ppm", PPM, 0, 0, 1, "the same one hour after the gate slot"),
    ObservationField("traded_3h", "ppm", PPM, 0, 0, 1, "the same three hours after"),
    ObservationField("traded_6h", "ppm", PPM, 0, 0, 1, "the same six hours after"),
    ObservationField("net_day", "Wh", 10_000, 0, -60, 60, "forecast net energy of the next 24 h"),
    *(field for index in range(OPEN_SEEN) for field in _per_slot(index)),
)
WIDTH = len(OBSERVATION)
LOWS = np.array([field.low for field in OBSERVATION], np.float32)
HIGHS = np.array([field.high for field in OBSERVATION], np.float32)
_OFFSETS = np.array([field.offset for field in OBSERVATION], np.float64)
_SCALES = np.array([field.scale for field in OBSERVATION], np.float64)


@dataclass(frozen=True)
class View:
    """What the parties of one role know at the start of a step; W slots from the current one.

    Shapes: w worlds, r parties (1 where all share a value), g gate slots, h open slots. Energies [Wh],
    prices [mJPY/kWh]; + is import.
    """

    slot_of_day: int
    """Half hour of the day of the current slot."""
    slots_per_day: int
    gate: int
    open_first: int
    """First open slot, counted from the current one; `position` and quotes start there."""
    role: int
    battery: Battery
    """Columns (r,)."""
    stored_wh: Int
    """(w, r)."""
    plan_wh: Int
    """(w, r, g): plans already fixed for the current slot and the ones before the gate."""
    net_wh: Int
    """(w, r, W): forecast load less own PV."""
    solar_wh_kw: Int
    """(w, 1, W): published solar forecast [Wh per kW]."""
    outside: Int
    """(w, r or 1, W): outside price as far as published, else of 24 h before."""
    traded_ppm: Int
    """(w, 1, slots_per_day): usual traded price within the band."""
    position_wh: Int
    """(w, r, h): contracts of the open slots."""
    best_bid: Int
    """(w, r or 1, h), NO_QUOTE without."""
    best_ask: Int
    """(w, r or 1, h), NO_QUOTE without."""
    live: npt.NDArray[np.bool_]
    """(w, r, h, 2): own live orders, buy and sell."""
    cost: Int
    """(r,) fuel cost, NO_COST without."""
    thermal_wh: Int
    """(r,) largest output per slot."""
    export_limit_wh: Int
    """(r,) per slot."""
    terms: Terms

    @cached_property
    def stored_at_gate_wh(self) -> Int:
        """Stored energy when the gate slot begins if the forecasts hold, (w, r)."""
        stored = self.stored_wh
        if self.battery.exists:
            for step in range(self.gate):
                _, stored = run_battery(self.battery, stored, self.plan_wh[..., step] - self.net_wh[..., step])
        return stored


def observe(view: View, parties: slice = EVERY_PARTY) -> Floats:
    """Features of every party or of some, (w, r, WIDTH) float32, as `OBSERVATION` lists them."""
    scaled = features(view, parties) + _OFFSETS
    scaled /= _SCALES
    seen = scaled.astype(np.float32)
    return np.minimum(np.maximum(seen, LOWS, out=seen), HIGHS, out=seen)


def features(view: View, parties: slice = EVERY_PARTY) -> Int:
    """The integers behind the observation, (w, r, WIDTH) int64."""
    stored, net, outside = view.stored_wh[:, parties], view.net_wh[:, parties], _own(view.outside, parties)
    out = np.zeros((*stored.shape, WIDTH), np.int64)
    out[..., 0:4] = _clock_table(view.slots_per_day)[(view.slot_of_day + view.gate) % view.slots_per_day]
    out[..., 4] = stored
    out[..., 5] = stored_at_gate(view)[:, parties]
    out[..., 6] = view.role
    day = slice(view.gate, view.gate + DAY)
    mean = _write_prices(out, outside[..., day])
    out[..., 14] = view.solar_wh_kw[..., day].sum(-1)
    out[..., 15] = view.solar_wh_kw[..., view.gate : view.gate + SIX_HOURS].sum(-1)
    _write_traded(out, view)
    out[..., 21] = net[..., day].sum(-1)
    for index in range(OPEN_SEEN):
        at = view.gate + index
        _write_open_slot(out[..., 22 + 5 * index :], view, parties, index, net[..., at], outside[..., at], mean)
    return out


def _own(column: Int, parties: slice) -> Int:
    """Rows of some parties; a row that all share stays as it is."""
    return column if column.shape[1] == 1 else column[:, parties]


def stored_at_gate(view: View) -> Int:
    """Stored energy when the gate slot begins if the forecasts hold, (w, r) [Wh]."""
    return view.stored_at_gate_wh


def band_fraction_ppm(price: Int, low: Int, high: Int) -> Int:
    """Where a price lies between feed-in and consumption value, clipped to 0 .. 1,000,000."""
    return within((price - low) * PPM // np.maximum(high - low, 1), 0, PPM)


def _write_prices(out: Int, day: Int) -> Int:
    mean: Int = day.sum(-1) // DAY
    out[..., 7] = mean
    out[..., 8] = day[..., 0] - mean
    out[..., 9] = day[..., 1] - mean
    out[..., 10] = day.min(-1) - mean
    out[..., 11] = day.max(-1) - mean
    out[..., 12] = day[..., :THREE_HOURS].sum(-1) // THREE_HOURS - mean
    out[..., 13] = day[..., :SIX_HOURS].sum(-1) // SIX_HOURS - mean
    return mean


def _write_traded(out: Int, view: View) -> None:
    out[..., 16] = view.traded_ppm.sum(-1) // view.slots_per_day
    at = view.slot_of_day + view.gate
    for column, ahead in ((17, 0), (18, 2), (19, 6), (20, 12)):
        out[..., column] = view.traded_ppm[..., (at + ahead) % view.slots_per_day]


def _write_open_slot(out: Int, view: View, parties: slice, index: int, net: Int, outside: Int, mean: Int) -> None:
    """A slot of the rolling window from the gate on; one the design has not opened shows no position, no quotes."""
    out[..., 0] = net
    out[..., 2] = outside - mean
    out[..., 4] = PPM
    here = index - (view.open_first - view.gate)
    if not 0 <= here < view.position_wh.shape[-1]:
        return
    low, high = view.terms.feed_in_price(outside), view.terms.consumption_value(outside)
    out[..., 1] = view.position_wh[:, parties, here]
    bid, ask = _own(view.best_bid, parties)[..., here], _own(view.best_ask, parties)[..., here]
    out[..., 3] = np.where(bid == NO_QUOTE, 0, band_fraction_ppm(bid, low, high))
    out[..., 4] = np.where(ask == NO_QUOTE, PPM, band_fraction_ppm(ask, low, high))


@lru_cache(maxsize=4)
def _clock_table(slots_per_day: int) -> Int:
    angle = 2 * np.pi * np.arange(slots_per_day) / slots_per_day
    waves = np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)], -1)
    return np.asarray(np.rint(waves * PPM), np.int64)
