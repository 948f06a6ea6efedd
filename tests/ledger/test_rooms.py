"""What the ledger loads: a device with it stays small."""

import subprocess
import sys


def test_the_ledger_loads_numpy_and_cryptography_only() -> None:
    """No kernel compiler, solver, table library or learner comes along, the audit included."""
    code = "import sys, ledger.keeper, ledger.audit, ledger.drill, ledger.showing; print(*sys.modules)"
    loaded = {name.split(".")[0] for name in subprocess.check_output([sys.executable, "-c", code], text=True).split()}
    assert {"numpy", "cryptography"} <= loaded
    assert not loaded & {
        "numba",
        "scipy",
        "highspy",
        "pvlib",
        "pandas",
        "torch",
        "onnx",
        "mesa",
        "gymnasium",
        "pydantic",
    }
    assert not loaded & {"agents", "envs", "experiments"}
