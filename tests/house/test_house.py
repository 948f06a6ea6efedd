"""The house rules: who may import whom, where heavy libraries live, sizes, docstrings, what is installed."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from market.contracts import CONTRACT, CONTRACT_FIELDS
from market.errors import Refusal
from market.orders import ORDER, ORDER_FIELDS
from market.planning import PLAN, PLAN_FIELDS
from market.tables import Schema, describe

ROOT = Path(__file__).parents[2]
FLOORS = ("market", "ledger", "agents", "envs", "experiments")
FILES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
TREES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in FILES}

ROOMS = {
    "cryptography": ("ledger/", "experiments/"),
    "psycopg": ("ledger/postgres_store.py",),
    "mesa": ("agents/dgc.py", "envs/society.py", "experiments/bench_agents.py"),  # the bench measures against it
    "gymnasium": ("envs/", "experiments/"),
    "pettingzoo": ("envs/", "experiments/"),
    "stable_baselines3": ("envs/sb3.py", "experiments/"),
    "sb3_contrib": ("experiments/",),
    "torch": ("experiments/",),
    "matplotlib": ("experiments/", "envs/picture.py"),
    "rich": ("experiments/",),
    "typer": ("experiments/",),
    "jinja2": ("experiments/",),
    "pydantic": ("envs/", "experiments/"),
    "numba": ("market/", "envs/booking_kernels.py", "agents/battery_kernels.py"),
    "highspy": ("market/", "experiments/"),  # benches measure against it
    "pvlib": ("envs/",),
    "jpholiday": ("envs/",),
    "onnxruntime": ("agents/", "experiments/"),
    "onnx": ("experiments/",),
    "pkcs11": ("ledger/pkcs11.py",),
}
"""Folders and files a library may be imported in; a picture of the world (`render`) loads matplotlib when drawn."""

DEVICE_FREE_OF = {"numba", "scipy", "highspy", "pvlib", "pandas", "onnx", "onnxruntime", "torch", "matplotlib", "mesa"}
FILE_LINES, FUNCTION_LINES, MEDIAN_LINES = 450, 60, 12
LONG_FILES = {"envs/world.py": 560}
LONG_FUNCTIONS = {
    "market/pairing_kernels.py:match_markets": 100,  # one compiled loop over the book; calls between kernels cost time
    "envs/world.py:__init__": 75,  # one line for each of its arguments, in the signature and in the body
}


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def imports_of(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """Every module imported, and whether at the top level."""
    top = set(ast.iter_child_nodes(tree))
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [node.module or ""]
        yield from ((name, node in top) for name in names)


def length_of(node: ast.AST) -> int:
    """Lines of code of a function: without docstring, from its name to its end."""
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    text = ast.get_docstring(node, clean=False)
    return (node.end_lineno or 0) - node.lineno + 1 - (text.count("\n") + 1 if text is not None else 0)


def numba_kernels(tree: ast.AST) -> set[str]:
    """Names of the compiled functions of a module."""
    return {f.name for f in functions_of(tree) if any("njit" in ast.unparse(d) for d in f.decorator_list)}


def loaded_by(module: str) -> set[str]:
    """Top-level names of all modules in memory after a fresh interpreter imported one."""
    code = f"import sys, {module}; print(*sys.modules)"
    listed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return {name.split(".")[0] for name in listed.stdout.split()}


def test_imports_run_one_way() -> None:
    """market <- ledger <- agents <- envs <- experiments; no product module imports a test."""
    order = {floor: place for place, floor in enumerate(FLOORS)} | {"tests": len(FLOORS)}
    upward = [
        f"{name} imports {module}"
        for name, tree in TREES.items()
        for module, _ in imports_of(tree)
        if order.get(module.split(".")[0], -1) > order[name.split("/")[0]]
    ]
    assert upward == []


def test_heavy_libraries_stay_in_their_rooms() -> None:
    """Each library is imported only by the folders and files that may."""
    strays = [
        f"{name}: {module}"
        for name, tree in TREES.items()
        for module, _ in imports_of(tree)
        for rooms in [ROOMS.get(module.split(".")[0])]
        if rooms and not name.startswith(rooms)
    ]
    assert strays == []


def test_every_library_imported_is_known() -> None:
    """What is imported is the standard library, a floor of the house, or a declared dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [line for name, lines in project["optional-dependencies"].items() if name != "dev" for line in lines]
    names = {re.split(r"[<>=\[; ]", line)[0] for line in [*project["dependencies"], *extras]}
    known = {name.removeprefix("python-").replace("-", "_") for name in names}
    # matplotlib's and jinja2's own companions, and the name scikit-learn is imported by
    known |= set(sys.stdlib_module_names) | set(FLOORS) | {"mpl_toolkits", "markupsafe", "sklearn"}
    used = {module.split(".")[0] for tree in TREES.values() for module, _ in imports_of(tree)}
    assert used <= known


@pytest.mark.parametrize("module", ["market.exchange", "ledger.audit", "agents.device", "envs"])
def test_nothing_heavy_is_loaded_before_it_is_needed(module: str) -> None:
    """Importing the engine, the audit, a device or the environments loads no compiler, solver, table library or net."""
    assert not loaded_by(module) & (DEVICE_FREE_OF | {"stable_baselines3"})


def test_a_device_loads_numpy_and_cryptography_and_its_own_code_only() -> None:
    """No installed library comes along beyond those two and what they are made of."""
    mine = loaded_by("agents.device")
    bare = loaded_by(
        "numpy, cryptography.hazmat.primitives.asymmetric.ed25519, cryptography.hazmat.primitives.kdf.hkdf"
    )
    extra = mine - bare - set(sys.stdlib_module_names)
    assert {name for name in extra if not name.startswith("_")} <= {"market", "ledger", "agents"}


def test_files_are_short() -> None:
    """No file is longer than 450 lines; the one exception has its own limit."""
    lengths = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in TREES}
    assert {n: size for n, size in lengths.items() if size > LONG_FILES.get(n, FILE_LINES)} == {}


def test_functions_are_short() -> None:
    """At most 60 lines of code; compiled kernels are held to the same limit."""
    long = {
        f"{name}:{function.name}": length_of(function)
        for name, tree in TREES.items()
        for function in functions_of(tree)
        if length_of(function) > LONG_FUNCTIONS.get(f"{name}:{function.name}", FUNCTION_LINES)
    }
    assert long == {}


def test_most_functions_are_very_short() -> None:
    """The median function has at most 12 lines of code."""
    assert median(length_of(f) for tree in TREES.values() for f in functions_of(tree)) <= MEDIAN_LINES


def test_everything_public_has_a_docstring() -> None:
    """Modules, classes, functions and methods without a leading underscore; nested ones are private."""
    bare = []
    for name, tree in TREES.items():
        if not ast.get_docstring(tree):
            bare.append(name)
        owners: list[ast.AST] = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
        for owner in owners:
            for node in ast.iter_child_nodes(owner):
                if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    continue
                if not node.name.startswith("_") and not ast.get_docstring(node):
                    bare.append(f"{name}:{node.name}")
    assert bare == []


def test_every_function_has_types() -> None:
    """Each argument but self and cls, and each result, is annotated; compiled kernels too."""
    bare = [
        f"{name}:{f.name}"
        for name, tree in TREES.items()
        for f in functions_of(tree)
        if f.returns is None
        or any(a.annotation is None for a in [*f.args.args, *f.args.kwonlyargs] if a.arg not in ("self", "cls"))
    ]
    assert bare == []


@pytest.mark.parametrize("mark", [r"\bTODO\b", r"\bFIXME\b", r"\bXXX\b", r"[\"'(=\s]/(home|work|tmp|root|Users)/"])
def test_no_file_leaves_a_note_to_self_or_names_a_machine(mark: str) -> None:
    """No unfinished work, no absolute path of somebody's machine."""
    texts = [*FILES, *(ROOT / "envs").rglob("*.toml"), ROOT / "pyproject.toml", ROOT / "Makefile"]
    assert [path.name for path in texts if re.search(mark, path.read_text("utf-8"))] == []


def test_asserts_only_narrow_types() -> None:
    """An assert disappears under -O: it may tell the type checker what holds, never check what was given."""
    allowed = re.compile(r"^(isinstance\(.*\)|[\w.]+ is not None)$")
    checks = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert) and not allowed.match(ast.unparse(node.test))
    ]
    assert checks == []


def test_no_exception_is_swallowed() -> None:
    """No bare except, and no handler of everything that does not raise."""
    broad = []
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                everything = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
                if everything and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
                    broad.append(f"{name}:{node.lineno}")
    assert broad == []


def test_nothing_but_arguments_decides_what_is_drawn_or_when_it_is() -> None:
    """Randomness and time are arguments: below experiments/ no unseeded generator, no global dice, no clock."""
    hidden = (
        r"default_rng\(\)",
        r"np\.random\.(?!default_rng\(|Generator|SeedSequence|PCG64|Philox)",
        r"(?<![\w.])random\.(?!Random\b)",
        r"(?<![\w.])time\.(time|monotonic|perf_counter)",
        r"(datetime|date)\.(now|today|utcnow)",
    )
    found = [
        f"{name}: {pattern}"
        for name in TREES
        if not name.startswith("experiments/")
        for pattern in hidden
        if re.search(pattern, (ROOT / name).read_text("utf-8"))
    ]
    # SB3's own rule: a VecEnv seeded with None asks for chance
    assert found == [r"envs/sb3.py: default_rng\(\)"]


def test_the_market_opens_no_file_and_reads_no_clock() -> None:
    """market/ holds pure functions: no path, no file, no operating system."""
    used = {
        module.split(".")[0]
        for name, tree in TREES.items()
        if name.startswith("market/")
        for module, _ in imports_of(tree)
    }
    assert not used & {"pathlib", "os", "io", "time", "random", "secrets", "socket", "subprocess", "tempfile"}


def test_the_five_packages_are_installed_and_the_tests_are_not() -> None:
    """pyproject.toml lists the packages by name."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert sorted(settings["tool"]["setuptools"]["packages"]) == sorted(FLOORS)
    inner = {path.parent for path in FILES if path.name == "__init__.py"}
    assert inner == {ROOT / floor for floor in FLOORS}


@pytest.mark.parametrize(
    ("fields", "dtype"),
    [(ORDER_FIELDS, ORDER), (CONTRACT_FIELDS, CONTRACT), (PLAN_FIELDS, PLAN)],
    ids=["orders", "contracts", "plans"],
)
def test_every_column_of_a_table_is_documented(fields: Schema, dtype: object) -> None:
    """The schema is the table: each column has a meaning, energies and prices a unit, and the page lists all."""
    assert [field.name for field in fields] == list(getattr(dtype, "names", ()))
    assert all(field.meaning for field in fields)
    units = {field.name: field.unit for field in fields}
    assert units["energy"] == "Wh"
    assert units["slot"] == "slot"
    assert all(unit == "mJPY/kWh" for name, unit in units.items() if name.endswith("price"))
    assert describe(fields).count("\n") == len(fields) + 1


def test_every_refusal_is_given_somewhere() -> None:
    """Each code is named by the code that refuses, not only by the table of codes."""
    text = "".join((ROOT / name).read_text("utf-8") for name in TREES if name != "market/errors.py")
    kernels = (ROOT / "market/pairing_kernels.py").read_text("utf-8") + (ROOT / "market/pairing.py").read_text("utf-8")
    missing = [code.name for code in Refusal if f"Refusal.{code.name}" not in text and code.name not in kernels]
    assert missing == []


def test_row_codes_and_envelope_codes_do_not_overlap() -> None:
    """Codes below 32 refuse a row, the others an envelope, and each number has one name."""
    numbers = [int(code) for code in Refusal]
    assert len(set(numbers)) == len(numbers)
    assert {code.name for code in Refusal if code >= 32} == {
        "MALFORMED",
        "WRONG_CHAIN",
        "UNKNOWN_KEY",
        "REVOKED_KEY",
        "OLD_SEQUENCE",
        "BAD_SIGNATURE",
        "RESENT",
        "EQUIVOCATION",
        "EXPIRED",
        "TOO_MANY",
        "TOO_FEW_SHARES",
        "DEALT_BADLY",
        "UNREADABLE",
        "NOT_ITS_ENVELOPE",
        "TOO_EARLY",
        "OTHER_AUCTION",
        "FLOODED",
    }
