"""Curtailed contracts of a run, as its table says them."""

from collections.abc import Iterator, Sequence

from envs.outages import Announced
from market.slots import HALF_HOURS
from market.units import UJPY_PER_JPY

CURTAILMENT_HEADER = (
    "contract",
    "time",
    "formed_time",
    "seller",
    "buyer",
    "path",
    "energy_wh",
    "buyer_jpy",
    "seller_jpy",
)


def curtailment_rows(
    outages: Sequence[Announced], names: tuple[str, ...], paths: tuple[str, ...]
) -> Iterator[list[object]]:
    """Rows of `tables/curtailments.csv` for world 0: which contract, what it lost, what its parties were paid."""
    for outage in outages:
        for cut, row in zip(outage.curtailed, outage.response.taken_back, strict=True):
            if cut["world"] == 0:
                yield [
                    int(cut["number"]),
                    HALF_HOURS.label(int(row["slot"])),
                    HALF_HOURS.label(int(row["formed"])),
                    names[row["seller"]],
                    names[row["buyer"]],
                    paths[row["path"]],
                    int(cut["energy"]),
                    int(cut["buyer_ujpy"]) / UJPY_PER_JPY,
                    int(cut["seller_ujpy"]) / UJPY_PER_JPY,
                ]
