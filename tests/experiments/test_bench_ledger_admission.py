"""The rows of signed admission measure what they say, on small sizes."""

import pytest

from experiments import bench_ledger_admission as admission


def test_every_envelope_and_order_is_admitted_and_every_signature_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times above zero, and both sides agree."""
    for name, size in (("DEVICES", 10), ("ORDERS", 5), ("ROUNDS", 1)):
        monkeypatch.setattr(admission, name, size)
    monkeypatch.setattr("experiments.bench_rows.ROUND_S", 1e-4)
    rows = admission.admission_rows(3)
    assert all(row.same and row.ours_s > 0 and row.reference_s > 0 for row in rows)
    assert rows[0].what == "admission of 10 envelopes of 5 orders, CPU time"
