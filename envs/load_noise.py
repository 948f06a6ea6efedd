"""What a party uses more or less than usual: a part drawn anew every half hour, and a part that fades over hours.

The lognormal noise of a slot has mean one. With a memory of T hours, the share p of its log variance persists: the
correlation of two slots h hours apart is p exp(-h/T). That exponential is the mean of the correlations 1 - h/L of
series that are redrawn every L hours from a phase of chance, L being gamma distributed with shape 2 and scale T; the
mean is taken over four lengths, which is within 0.03 of it. So every slot of every world is a sum of five draws that
need no slot before it.
"""

from typing import NamedTuple

from agents.draw import Bits, Purpose, below, draw, lognormal_ppm
from market.slots import HALF_HOURS
from market.units import PPM, Int

LENGTHS_PPM = (609_000, 1_305_000, 2_118_000, 3_607_000)
"""Lengths of the redrawn series over the time constant: quantiles 1/8, 3/8, 5/8, 7/8 of gamma(2)."""


class Noise(NamedTuple):
    """Noise of a slot's load: log standard deviation [ppm], time constant [minutes], part that persists [ppm]."""

    sd_ppm: int
    memory_minutes: int
    memory_ppm: int


def draw_noise(noise: Noise, seed: int, worlds: Int, rows: Int, slot: Int) -> Int:
    """Factors on the usual load (w, rows, slots) [ppm] of the parties `rows` in the slots `slot` (w, slots).

    Without a time constant all of it is drawn anew in every slot.
    """
    sd = noise.sd_ppm / PPM
    bits = draw(seed, worlds[:, None, None], rows[:, None], slot[:, None], Purpose.LOAD)
    if not noise.memory_minutes:
        return lognormal_ppm(bits, sd)
    persists = noise.memory_ppm / PPM
    factor, of_level = lognormal_ppm(bits, sd * (1 - persists) ** 0.5), sd * (persists / len(LENGTHS_PPM)) ** 0.5
    for level in range(len(LENGTHS_PPM)):
        bits = _draw_level(level, noise.memory_minutes, seed, worlds, rows, slot)
        factor = factor * lognormal_ppm(bits, of_level) // PPM
    return factor


def _draw_level(level: int, memory_minutes: int, seed: int, worlds: Int, rows: Int, slot: Int) -> Bits:
    """Bits of one series (w, rows, slots): the same within each of its blocks."""
    length = max(round(LENGTHS_PPM[level] * memory_minutes / (PPM * HALF_HOURS.minutes)), 1)
    phase = below(draw(seed, worlds[:, None], rows, level, Purpose.LOAD_PHASE), length)
    block = (slot[:, None] + phase[..., None]) // length
    levels = len(LENGTHS_PPM)
    return draw(seed, worlds[:, None, None], rows[:, None], block * levels + level, Purpose.LOAD_MEMORY)
