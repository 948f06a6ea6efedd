"""A simulation with a signed ledger that was stopped is made again in its folder and goes on behind its last block.

A run repeats to the bit, so nothing but what is on the disk need be kept: blocks that stand there must be those the run
makes again (`ledger.resuming`), and its tables are written when it ends. It costs the time of the run.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from envs.world import World
from experiments.runs import COMPLETE, RunFolder, choose_path, open_run
from ledger.reasons import ObservationLog
from ledger.resuming import ResumedObservations, ResumedStore
from ledger.segment_store import SegmentStore
from ledger.store import LogStore
from market.errors import ConfigError


def reopen_run(out: Path | None, config: dict[str, Any]) -> RunFolder:
    """The run that was stopped in a folder, to go on with.

    Raises:
        ConfigError: there is none, it has ended, its config is another, or it keeps no signed ledger.
    """
    path = choose_path(out, "", resume=True)
    if config["ledger"] != "full":
        do = "give --ledger full, or run it anew"
        raise ConfigError("only a signed ledger can be gone on with", where="--resume", do=do)
    run = open_run(path)
    begun, asked = run.read_json("config"), json.loads(json.dumps(config))
    others = ", ".join(name for name in asked | begun if asked.get(name) != begun.get(name))
    if others:
        do = "give the options of its first command, or another --out"
        raise ConfigError(f"the run was begun with another {others}", where=str(path), do=do)
    if run.state == COMPLETE:
        raise ConfigError("the run has ended, nothing is left of it to do", where=str(path), do="give another --out")
    run.tables.mkdir(exist_ok=True)
    return run


@contextmanager
def hold_ledger(world: World, run: RunFolder, resume: bool) -> Iterator[None]:
    """Where a world's blocks and observations go; both are let go of at the end, also of a run that stops."""
    stores = list[LogStore]()

    def open_store(folder: Path) -> LogStore:
        stores.append(ResumedStore(folder) if resume else SegmentStore(folder))
        return stores[-1]

    world.open_store = open_store
    world.observations = ResumedObservations(run.observations) if resume else ObservationLog(run.observations)
    try:
        yield
    finally:
        world.observations.close()
        for store in stores:
            store.close()
