import pytest

from experiments.bench import bench_envs


def test_the_bench_compares_the_same_work(capsys: pytest.CaptureFixture[str]) -> None:
    """Both sides of the worlds' bench end with the same heads; the table shows both ratios."""
    result = bench_envs(worlds=3, seed=4)
    assert result.same_heads
    assert result.parties == 15
    assert result.worlds_ratio == result.parallel_decisions_s / result.dummy_decisions_s > 0
    assert result.signed_ratio == result.signed_envelopes_s / result.bare_envelopes_s > 0
    assert [row["ratio"] for row in result.rows()] == [result.worlds_ratio, result.signed_ratio]
    result.print()
    assert f"{result.signed_ratio:.2f}x" in capsys.readouterr().out
