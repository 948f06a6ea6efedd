"""Programs: which rules a ledger ran by, registered by the hash of their source (paper 2.1, smart contracts).

A program is a part of `market` that turns recorded inputs into recorded outputs: a pure function on integers, without
clock, file or dice. Its source bundle is the modules it starts from and all of `market` that they import, directly or
not, wherever in a module the import stands. Its hash is SHA-256 over a tag and, for each module in order of name, the
name (length u32 before it) and the SHA-256 of the source with line ends as \\n. Interpreter, NumPy and package version
stand in the record for who has to build the same environment; they are not part of a hash.

A verifier runs what is installed. Where the recorded program is another one, `check_programs` says so and which
version to use; with `trust_source` the installed one is run all the same, and the first record that differs is named.
"""

import ast
import hashlib
import json
import platform
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ledger.encoding import canonical_json
from market.errors import LedgerError

FORMAT = "digitalgrid-programs/1"
PROGRAM_TAG = b"DG/program/v1\0"
ROOTS: dict[str, tuple[str, ...]] = {
    "matching": ("market.exchange", "market.long_contracts", "market.opening", "market.outages", "market.validation"),
    "imbalance": ("market.imbalance",),
    "settlement": ("market.planning", "market.settlement"),
    "certificates": ("market.certificates",),
}
"""Programs by name, and the modules each starts from."""
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class Programs:
    """Programs by name, each with its hash and modules; modules with the hash of their source; what they ran in."""

    hashes: Mapping[str, bytes]
    modules: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, bytes]
    environment: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """Body of the program record: canonical JSON."""
        return canonical_json(
            {
                "environment": dict(self.environment),
                "format": FORMAT,
                "modules": {name: digest.hex() for name, digest in self.sources.items()},
                "programs": {
                    name: {"modules": list(self.modules[name]), "sha256": digest.hex()}
                    for name, digest in self.hashes.items()
                },
            }
        )


@cache
def installed_programs() -> Programs:
    """The programs of this installation; their sources are read once a process."""
    modules = {name: bundle_of(roots) for name, roots in ROOTS.items()}
    sources = {name: source_hash(name) for names in modules.values() for name in names}
    return Programs(
        {name: program_hash(names, sources) for name, names in modules.items()},
        modules,
        sources,
        {
            "interpreter": f"{platform.python_implementation()} {platform.python_version()}",
            "numpy": np.__version__,
            "package": _package_version(),
        },
    )


def bundle_of(roots: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the modules a program is made of, sorted; raises LedgerError where a source cannot be read."""
    found, waiting = set(roots), list(roots)
    while waiting:
        new = set(imported_by(ast.parse(read_source(waiting.pop())))) - found
        found |= new
        waiting += sorted(new)
    return tuple(sorted(found))


def imported_by(tree: ast.AST) -> Iterator[str]:
    """Modules of `market` that a module imports anywhere in its text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("market."))
        elif isinstance(node, ast.ImportFrom) and node.module == "market":
            yield from (f"market.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("market."):
            yield str(node.module)


def read_source(module: str) -> bytes:
    """Source of an installed module with line ends as \\n; raises LedgerError where there is none."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise LedgerError(f"no source of {module}", do="install the package with its sources")
    try:
        return Path(spec.origin).read_bytes().replace(b"\r\n", b"\n")
    except OSError as error:
        raise LedgerError(f"no source of {module}: {error.strerror}", do="install the package anew") from error


def source_hash(module: str) -> bytes:
    """SHA-256 of a module's source."""
    return hashlib.sha256(read_source(module)).digest()


def program_hash(modules: tuple[str, ...], sources: Mapping[str, bytes]) -> bytes:
    """Hash of a program from its modules, sorted, and the hashes of their sources."""
    parts = (_LENGTH.pack(len(name)) + name.encode() + sources[name] for name in modules)
    return hashlib.sha256(PROGRAM_TAG + b"".join(parts)).digest()


def read_programs(body: bytes) -> Programs:
    """A program record, read; raises LedgerError unless it is canonical and its hashes follow from its modules."""
    try:
        record = json.loads(body)
        programs = Programs(
            {name: bytes.fromhex(said["sha256"]) for name, said in record["programs"].items()},
            {name: tuple(said["modules"]) for name, said in record["programs"].items()},
            {name: bytes.fromhex(digest) for name, digest in record["modules"].items()},
            {str(name): str(text) for name, text in record["environment"].items()},
        )
        derived = {name: program_hash(names, programs.sources) for name, names in programs.modules.items()}
        known = record["format"] == FORMAT and programs.to_bytes() == body
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LedgerError("programs cannot be read", do="use the version that wrote them") from error
    if not known or derived != programs.hashes:
        raise LedgerError("programs are not of this format", do=f"this version reads {FORMAT}")
    return programs


def check_programs(recorded: Programs, trust_source: bool = False) -> tuple[str, ...]:
    """Names of the programs that others installed here stand in for; none unless `trust_source`.

    Raises:
        LedgerError: the recorded programs are not those installed, and those are not trusted instead.
    """
    here = installed_programs()
    if set(recorded.hashes) != set(here.hashes):
        raise LedgerError(f"ledger registers programs {', '.join(sorted(recorded.hashes))}", do=_use(recorded))
    others = tuple(name for name, digest in recorded.hashes.items() if digest != here.hashes[name])
    for name in others if not trust_source else ():
        what = f"program {name} is {recorded.hashes[name].hex()[:12]}, installed is {here.hashes[name].hex()[:12]}"
        raise LedgerError(
            f"{what} ({_first_change(recorded, here, name)})", do=f"{_use(recorded)}, or add --trust-source"
        )
    return others


def describe_programs(body: bytes) -> dict[str, Any]:
    """A program record in plain values, without the hashes of single modules."""
    programs = read_programs(body)
    return {
        "programs": {name: digest.hex() for name, digest in programs.hashes.items()},
        "modules": {name: len(modules) for name, modules in programs.modules.items()},
        **programs.environment,
    }


def _first_change(recorded: Programs, here: Programs, name: str) -> str:
    """Which module made a program another one."""
    for module in sorted({*recorded.modules[name], *here.modules[name]}):
        if recorded.sources.get(module) != here.sources.get(module):
            return f"{module} differs"
    return "its modules differ"


def _use(recorded: Programs) -> str:
    return f"verify with digitalgrid {recorded.environment.get('package', 'of that time')}"


def _package_version() -> str:
    try:
        return version("digitalgrid")
    except PackageNotFoundError:
        return "not installed"
