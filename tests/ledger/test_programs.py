"""Programs: named by their source, pure by rule; a ledger of other programs is told, or run with those installed."""

import ast
import hashlib
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest

import ledger.programs as programs
from ledger.audit import verify
from ledger.journal import read
from ledger.programs import (
    ROOTS,
    Programs,
    bundle_of,
    check_programs,
    describe_programs,
    imported_by,
    installed_programs,
    program_hash,
    read_programs,
    read_source,
)
from ledger.records import RecordType
from market.errors import LedgerError
from market.settlement import PostingKind
from tests.ledger.small_world import SmallRun

ROOT = Path(__file__).parents[2]
REGISTERED = sorted({module for modules in installed_programs().modules.values() for module in modules})
TREES = {module: ast.parse(read_source(module)) for module in REGISTERED}

IMPURE = {"time", "datetime", "random", "secrets", "os", "pathlib", "io", "socket", "subprocess", "threading", "uuid"}
CALENDAR = {"date", "timedelta"}
"""Half hours have dates; a date as a value is no clock."""
IMPURE_CALLS = {"open", "input", "hash", "id", "eval", "exec", "print", "vars", "globals"}
CLOCKS = {"now", "today", "utcnow", "time", "perf_counter", "urandom", "default_rng", "seed"}


def test_the_hash_is_the_one_the_docstring_says() -> None:
    """Module names with their lengths and the hashes of their sources, sorted, under the tag."""
    here = installed_programs()
    data = b"DG/program/v1\0"
    for module in ("market.certificates", "market.tables", "market.units"):
        source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_bytes()
        data += len(module).to_bytes(4, "big") + module.encode() + hashlib.sha256(source).digest()
    assert here.hashes["certificates"] == hashlib.sha256(data).digest()


def test_a_bundle_holds_all_that_runs() -> None:
    """Imports inside functions count: kernels, splitting and rules of designs are part of matching."""
    matching = installed_programs().modules["matching"]
    assert {"market.pairing_kernels", "market.splitting", "market.rules", "market.sharing"} <= set(matching)
    for modules in installed_programs().modules.values():
        assert modules == tuple(sorted(modules))
        assert {name for module in modules for name in imported_by(TREES[module])} <= set(modules)


def test_another_process_with_another_hash_seed_finds_the_same_programs() -> None:
    """No set order gets into the record."""
    code = "from ledger.programs import installed_programs as p; print(p().to_bytes().decode(), end='')"
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, env={"PYTHONHASHSEED": "77"}
    )
    assert made.stdout == installed_programs().to_bytes()


@pytest.mark.parametrize("changed", ["market.settlement", "market.pairing_kernels", "market.units"])
def test_one_changed_byte_changes_the_programs_it_is_part_of(changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no other."""
    before = installed_programs()

    def other(module: str) -> bytes:
        return read_source(module) + (b"#" if module == changed else b"")

    monkeypatch.setattr(programs, "read_source", other)
    after = programs.installed_programs.__wrapped__()
    different = {name for name in ROOTS if before.hashes[name] != after.hashes[name]}
    assert different == {name for name, modules in before.modules.items() if changed in modules}
    assert different
    with pytest.raises(LedgerError, match=f"{changed} differs.*verify with digitalgrid .*--trust-source"):
        check_programs(after)
    check_programs(after, trust_source=True)


def example() -> Programs:
    """A record of two programs."""
    sources = {"market.a": b"a" * 32, "market.b": b"b" * 32}
    modules = {"x": ("market.a", "market.b"), "y": ("market.b",)}
    hashes = {name: program_hash(names, sources) for name, names in modules.items()}
    return Programs(hashes, modules, sources, {"interpreter": "CPython 3.11.7", "numpy": "2.4.6", "package": "0.1.0"})


def test_program_records_are_frozen() -> None:
    """Golden bytes: they change only with the version."""
    data = example().to_bytes()
    assert hashlib.sha256(data).hexdigest() == "70d498bdea54e284e32b4bffdac9908279d5f54e96d8f2489a0e703db72cfc47"
    assert read_programs(data) == example()
    assert describe_programs(data)["modules"] == {"x": 2, "y": 1}


def test_program_records_have_one_spelling_and_hashes_that_follow() -> None:
    """Anything else is refused."""
    data = example().to_bytes()
    forged = replace(example(), hashes={"x": bytes(32), "y": example().hashes["y"]})
    spoiled = [data[:-1], data + b" ", b"{}", b"[]", b"\xff", data.replace(b"programs/1", b"programs/2")]
    for body in [*spoiled, forged.to_bytes(), data.replace(b'"market.a","market.b"', b'"market.b","market.a"')]:
        with pytest.raises(LedgerError):
            read_programs(body)


def test_a_ledger_with_other_programs_is_told_in_one_line() -> None:
    """A program added or missing is not guessed at."""
    with pytest.raises(LedgerError, match=r"ledger registers programs x, y.*verify with digitalgrid 0\.1\.0"):
        check_programs(example(), trust_source=True)


def test_no_source_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is not there is named."""
    with pytest.raises(LedgerError, match=r"no source of market\.nowhere"):
        bundle_of(("market.nowhere",))


def test_a_changed_line_of_the_settlement_is_refused_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger was written by a settlement with one line changed: the program is told, then the first posting."""
    line = b"_post_fee(flat, base[~last], buyer[~last], energy[~last] * terms.fee, accounts)"
    changed = read_source("market.settlement").replace(line, line.replace(b"terms.fee", b"(terms.fee + 1)"))
    assert changed != read_source("market.settlement")
    other = types.ModuleType("changed_settlement")
    # its dataclasses look their module up by name
    monkeypatch.setitem(sys.modules, other.__name__, other)
    exec(compile(changed, "changed settlement", "exec"), other.__dict__)

    def source(module: str) -> bytes:
        return changed if module == "market.settlement" else read_source(module)

    with monkeypatch.context() as then:
        then.setattr(programs, "read_source", source)
        there = programs.installed_programs.__wrapped__()
        then.setattr("ledger.keeper.installed_programs", lambda: there)
        then.setattr("tests.ledger.small_world.post_contracts", other.post_contracts)
        run = SmallRun([5], "full", tmp_path / "ledger").run()
    assert there.hashes["certificates"] == installed_programs().hashes["certificates"]
    (refused,) = verify(tmp_path / "ledger").lines
    assert "program " in refused
    assert "market.settlement differs" in refused
    assert "--trust-source" in refused
    (named,) = verify(tmp_path / "ledger", trust_source=True).lines
    affected = next(number for number, step in enumerate(run.steps) if step.money[..., PostingKind.FEE].any())
    steps = [place for *place, kind, _ in read(tmp_path / "ledger" / "world-0000") if kind == RecordType.STEP]
    assert "block {}, record {}:".format(*steps[affected]) in named
    assert "posting" in named


def test_a_ledger_of_other_source_that_decides_alike_verifies_on_trust_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed comment makes another program: refused by itself, executed with the installed one when asked."""

    def source(module: str) -> bytes:
        return read_source(module) + (b"# a comment" if module == "market.imbalance" else b"")

    with monkeypatch.context() as then:
        then.setattr(programs, "read_source", source)
        there = programs.installed_programs.__wrapped__()
        then.setattr("ledger.keeper.installed_programs", lambda: there)
        SmallRun([5], "full", tmp_path / "ledger").run()
    assert "market.imbalance differs" in verify(tmp_path / "ledger").lines[0]
    verdict = verify(tmp_path / "ledger", trust_source=True)
    assert verdict.ok, verdict.lines
    assert "executed with the installed imbalance, matching, settlement" in verdict.lines[1]


@pytest.mark.parametrize("module", REGISTERED)
def test_registered_modules_ask_no_clock_no_file_and_no_dice(module: str) -> None:
    """What they import and call gives the same everywhere."""
    found = set[str]()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names} & IMPURE
        elif isinstance(node, ast.ImportFrom) and node.module == "datetime":
            found |= {alias.name for alias in node.names} - CALENDAR
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module).split(".")[0]} & IMPURE
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found |= {name} & IMPURE_CALLS
            if "." in name:
                found |= {name.rsplit(".", 1)[1]} & CLOCKS
    assert found == set()


@pytest.mark.parametrize("module", REGISTERED)
def test_registered_modules_never_go_through_a_set_in_its_own_order(module: str) -> None:
    """A set may be asked and compared; whoever walks it sorts it first."""
    loops = [node.iter for node in ast.walk(TREES[module]) if isinstance(node, ast.For | ast.comprehension)]
    walks = ("list", "tuple", "enumerate", "zip", "map", "iter", "next", "sum", "join", "pop")
    loops += [
        argument
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in walks
        for argument in node.args
    ]
    assert [ast.unparse(node) for node in loops if _is_set(node)] == []


def _is_set(node: ast.AST) -> bool:
    made = isinstance(node, ast.Set | ast.SetComp)
    return made or (isinstance(node, ast.Call) and ast.unparse(node.func) in ("set", "frozenset"))
