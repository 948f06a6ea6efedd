"""`digitalgrid clear`: case files, malformed files in one line, published curves against published prices."""

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from experiments.bench_curves import SECONDS, bench_curves
from experiments.case_nodes import write_json
from experiments.clear import clear_case
from experiments.cli import app
from experiments.jepx_curves import CSV_COLUMNS, prices_csv, read_curves
from experiments.jepx_published import KINDS, compare_with_published, read_groups, read_published

OWN_CASES = sorted((Path(__file__).parents[1] / "cases").glob("*.json"))
SAMPLES = Path(__file__).parents[3] / "shared" / "cases"
SAMPLE_CASES = sorted(SAMPLES.glob("*.json"))
DATA = Path(__file__).parents[3] / "shared" / "data"
CURVES = DATA / "jepx_curves"
PAIRS = {"202305": (601, 67), "202308": (527, 0), "202401": (717, 4)}
"""Slots of two groups in each month: with different prices, with equal ones."""


def run(*arguments: object) -> Result:
    """The command line."""
    return CliRunner().invoke(app, ["clear", *(str(argument) for argument in arguments)])


def simple_case(**changes: Any) -> dict[str, Any]:
    """A case of one sale and one purchase, with changes at the top."""
    order = {"party": "p", "area": "A", "price_jpy_kwh": 10, "slot": 0, "energy_kwh": 5}
    orders = [{"id": "s", "side": "sell", **order}, {"id": "d", "side": "buy", **order}]
    return {"format": "digitalgrid-case/1", "design": "spot", "areas": ["A"], "lines": [], "orders": orders, **changes}


def write(folder: Path, content: dict[str, Any] | str) -> Path:
    """A case file."""
    path = folder / "case.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", OWN_CASES, ids=lambda path: path.stem)
def test_each_situation_comes_out_as_reasoned(path: Path) -> None:
    """Ties, floors, scarcity, islands, zero capacity, negative prices, loops, one-way lines, fences, blocks."""
    report = clear_case(path).report
    assert report["differences"] == []
    assert report["expected_ok"] is True


def test_there_are_cases() -> None:
    """The parametrised test above has something to do."""
    assert len(OWN_CASES) >= 30


@pytest.mark.skipif(not SAMPLE_CASES, reason=f"no sample cases at {SAMPLES}")
@pytest.mark.parametrize("path", SAMPLE_CASES, ids=lambda path: path.stem)
def test_published_sample_cases_come_out_as_expected(path: Path) -> None:
    """Cases of other projects' own tests, and those with blocks."""
    result = run(path)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["expected_ok"] is True


def test_a_wrong_expectation_ends_with_one_and_says_what_differs(tmp_path: Path) -> None:
    """Prices, flows and welfare are compared exactly."""
    result = run(write(tmp_path, simple_case(expected={"welfare_jpy": 0.000001, "fills_kwh": {"s": 5}})))
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert report["expected_ok"] is False
    assert report["differences"] == ["welfare_jpy: 0 instead of 0.000001"]


def test_numbers_are_read_and_written_exactly(tmp_path: Path) -> None:
    """A welfare of 19 digits, which no float holds, and energies that floats would miss."""
    case = simple_case(lot_kwh=0.001, tick_jpy_kwh=0.001, price_band_jpy_kwh=[-16777, 16777])
    case["orders"][0] |= {"price_jpy_kwh": -9999.999, "energy_kwh": 123456789.123}
    case["orders"][1] |= {"price_jpy_kwh": 9999.999, "energy_kwh": 123456789.123}
    text = write_json(clear_case(write(tmp_path, case)).report)
    report = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    assert report["welfare_jpy"] == 2 * Decimal("9999.999") * Decimal("123456789.123")
    assert report["fills_kwh"]["s"] == Decimal("123456789.123")


def test_a_report_names_what_limits_the_areas(tmp_path: Path) -> None:
    """System price, groups of one price, lines that bind and their rent, contracts with their path."""
    order = {"area": "A", "slot": 3, "energy_kwh": 100}
    orders = [
        {"id": "s", "party": "plant", "side": "sell", "price_jpy_kwh": 5, **order},
        {"id": "d", "party": "town", "side": "buy", "price_jpy_kwh": 30, **order, "area": "B"},
        {"id": "t", "party": "old plant", "side": "sell", "price_jpy_kwh": 9, **order, "area": "B"},
    ]
    line = {"id": "AB", "from": "B", "to": "A", "forward_kwh": 0, "backward_kwh": 40}
    report = clear_case(write(tmp_path, simple_case(areas=["A", "B"], lines=[line], orders=orders))).report
    assert report["system_price_jpy_kwh"] == {"3": 5}
    assert report["price_groups"] == {"3": [["A"], ["B"]]}
    assert report["binding_lines"] == {"3": ["AB"]}
    assert report["congestion_rent_jpy"] == {"3": 160}
    assert report["flows_kwh"] == {"AB": {"3": -40}}
    paths = {(c["seller"], c["buyer"]): (c["energy_kwh"], c["path"]) for c in report["contracts"]}
    assert paths == {("plant", "town"): (40, ["-AB"]), ("old plant", "town"): (60, [])}


def test_ten_thousand_duplicates_leave_the_rest_alone(tmp_path: Path) -> None:
    """Each is refused by code and place, in a moment."""
    case = simple_case()
    case["orders"] += [case["orders"][0]] * 10_000
    path = write(tmp_path, case)
    clear_case(path)
    before = perf_counter()
    report = clear_case(path).report
    assert perf_counter() - before < 5
    assert len(report["refused"]) == 10_000
    assert {row["code"] for row in report["refused"]} == {"DUPLICATE_REFERENCE"}
    assert report["refused"][0]["reason"].startswith("orders[2]: ")
    assert report["fills_kwh"] == {"s": 5, "d": 5}


LINE = {"id": "L", "from": "A", "to": "B", "forward_kwh": 1, "backward_kwh": 1}


def order(**changes: Any) -> dict[str, Any]:
    """A case whose second order is changed; a value of ... drops the key."""
    case = simple_case()
    case["orders"][1] = {k: v for k, v in (case["orders"][1] | changes).items() if v is not ...}
    return case


MISTAKES: dict[str, tuple[dict[str, Any] | str, str]] = {
    "empty": ("", "line 1 column 1"),
    "not JSON": ('{"format": }', "line 1 column 12"),
    "a list": ("[]", "file: [] is not a table"),
    "not a number": (json.dumps(simple_case()).replace("10", "NaN"), "NaN is not a number"),
    "key twice": ('{"format": 1, "format": 2}', "'format' stands twice"),
    "another format": (simple_case(format="digitalgrid-case/9"), "digitalgrid-case/1"),
    "unknown key": (simple_case(arreas=[]), "arreas: unknown key (did you mean 'areas'?"),
    "missing key": ({"format": "digitalgrid-case/1"}, "design: this key is missing"),
    "unknown design": (simple_case(design="lottery"), "design: unknown design 'lottery'"),
    "no area": (simple_case(areas=[]), "areas: 0 areas"),
    "area twice": (simple_case(areas=["A", "A"]), "areas[1]: 'A' stands more than once"),
    "too many areas": (simple_case(areas=[f"a{n}" for n in range(41)]), "areas: 41 areas"),
    "line to nowhere": (simple_case(lines=[LINE]), "lines[0].to: unknown area 'B'"),
    "line to itself": (simple_case(lines=[LINE | {"to": "A"}]), "lines[0].to"),
    "line below zero": (simple_case(areas=["A", "B"], lines=[LINE | {"forward_kwh": -1}]), "lines[0].forward_kwh: -1"),
    "no capacity in a slot": (
        simple_case(areas=["A", "B"], lines=[LINE | {"forward_kwh": {"7": 1}}]),
        "lines[0].forward_kwh: no capacity for slot 0",
    ),
    "not a slot": (
        simple_case(areas=["A", "B"], lines=[LINE | {"forward_kwh": {"x": 1}}]),
        "lines[0].forward_kwh.x",
    ),
    "limit over no line": (
        simple_case(limits=[{"id": "f", "lines": {"M": 1}, "max_kwh": 1}]),
        "limits[0].lines.M: unknown line 'M'",
    ),
    "limit without a sign": (
        simple_case(areas=["A", "B"], lines=[LINE], limits=[{"id": "f", "lines": {"L": 2}, "max_kwh": 1}]),
        "limits[0].lines.L: not a sign",
    ),
    "empty band": (simple_case(price_band_jpy_kwh=[5, 1]), "price_band_jpy_kwh: the band is empty"),
    "no lot": (simple_case(lot_kwh=0), "lot_kwh: 0 is not possible"),
    "unknown key of an order": (order(prize=1), "orders[1].prize: unknown key"),
    "price missing": (order(price_jpy_kwh=...), "orders[1].price_jpy_kwh: this key is missing"),
    "price as text": (order(price_jpy_kwh="10"), 'orders[1].price_jpy_kwh: "10" is not a number'),
    "price is true": (order(price_jpy_kwh=True), "orders[1].price_jpy_kwh: true is not a number"),
    "price too fine": (order(price_jpy_kwh=10.0001), "orders[1].price_jpy_kwh: 10.0001 is finer than 0.001 JPY/kWh"),
    "energy too fine": (order(energy_kwh=0.0005), "orders[1].energy_kwh: 0.0005 is finer than 1 Wh"),
    "half a slot": (order(slot=0.5), "orders[1].slot"),
    "no slot": (order(slot=...), "orders[1].slot: this key is missing"),
    "slot and block": (order(block={}), "orders[1]: neither a simple order nor a block"),
    "id is a number": (order(id=7), "orders[1].id: 7 is not a name"),
    "unknown expectation": (simple_case(expected={"price": 1}), "expected.price: unknown key"),
    "expected of nowhere": (simple_case(expected={"prices_jpy_kwh": {"X": {"0": 1}}}), "expected.prices_jpy_kwh.X"),
    "retail missing": (
        simple_case(design="retail", retail_jpy_kwh={"A": {"1": [30, 8]}}),
        "retail_jpy_kwh.A: no prices for slot 0",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_malformed_case_is_one_line_with_file_and_place(name: str, tmp_path: Path) -> None:
    """Exit code 1, nothing on standard output, one line that says what, where and what to do."""
    content, told = MISTAKES[name]
    assert_one_line(run(write(tmp_path, content)), told, "case.json")


def assert_one_line(result: Result, told: str, file: str) -> None:
    """One line on standard error that names the file and says what is wrong."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert told in result.stderr
    assert file in result.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("case.json", "--jepx-curves", "c.csv"), ("case.json", "--published", "p.csv"), ("none.json",)]
)
def test_wrong_use_is_one_line(arguments: tuple[str, ...]) -> None:
    """Neither or both kinds of file, half of the options that go together, a file that is not there."""
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_a_picture_of_a_case_and_of_curves_is_written(tmp_path: Path) -> None:
    """PNG files; an unknown area or slot is one line."""
    case, picture = write(tmp_path, simple_case()), tmp_path / "case.png"
    assert run(case, "--picture", picture, "--out", tmp_path / "out.json").exit_code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    curves = tmp_path / "curves.csv"
    curves.write_text(csv_text(), "utf-8")
    assert run("--jepx-curves", curves, "--picture", picture, "--out", tmp_path / "p.csv").exit_code == 0
    assert "--area" in run(case, "--picture", picture, "--area", "X").stderr
    assert "--slot" in run(case, "--picture", picture, "--slot", "9").stderr


def csv_text(*, drop: int | None = None, change: dict[int, str] | None = None) -> str:
    """Two curves of one slot in the official columns: the national one and that of group 1."""
    rows = [",".join(CSV_COLUMNS)]
    for group in ("", "1"):
        steps = ("0.00,0.0,20.0", "0.00,5.0,20.0", "7.50,15.0,20.0", "8.10,15.5,12.0", "999.99,30.0,0.0")
        rows += [f"2024/01/02,3,{step},{group}" for step in steps]
    rows = [(change or {}).get(line, row) for line, row in enumerate(rows, start=1) if line != drop]
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_official_csv_gives_date_slot_group_and_price(encoding: str, tmp_path: Path) -> None:
    """Group blank is the system price; written to a file or the screen."""
    path, out = tmp_path / "curves.csv", tmp_path / "prices.csv"
    path.write_text(csv_text(), encoding)
    expected = "date,slot,group,price_jpy_kwh\n2024-01-02,3,,7.50\n2024-01-02,3,1,7.50\n"
    assert run("--jepx-curves", path).stdout == expected
    assert run("--jepx-curves", path, "--out", out).exit_code == 0
    assert out.read_text("utf-8") == expected


BAD_CURVES = {
    "empty file": ("", "the file is empty"),
    "header only": (",".join(CSV_COLUMNS) + "\n", "no rows"),
    "another table": ("a,b\n1,2\n", "line 1: the header lacks 電力受渡日"),
    "not a price": (csv_text(change={4: "2024/01/02,3,7.5x,15.0,20.0,"}), "line 4: 入札価格"),
    "too fine": (csv_text(change={4: "2024/01/02,3,7.505,15.0,20.0,"}), "line 4: 入札価格"),
    "no such date": (csv_text(change={4: "2024/02/30,3,7.50,15.0,20.0,"}), "line 4: no such date"),
    "no such slot": (csv_text(change={4: "2024/01/02,49,7.50,15.0,20.0,"}), "line 4: no such slot"),
    "a cell short": (csv_text(change={4: "2024/01/02,3,7.50,15.0,20.0"}), "line 4: 5 cells instead of 6"),
    "supply falls": (csv_text(change={4: "2024/01/02,3,7.50,4.0,20.0,"}), "line 4: the energy offered falls"),
    "demand rises": (csv_text(change={4: "2024/01/02,3,7.50,15.0,21.0,"}), "line 4: the energy wanted rises"),
    "price falls": (csv_text(change={5: "2024/01/02,3,7.40,15.5,12.0,"}), "line 5: the price falls"),
    "row twice": (csv_text(change={5: "2024/01/02,3,7.50,15.0,20.0,"}), "line 5: the row stands twice"),
    "no last row": (csv_text(drop=11), "line 10: the curve does not end"),
    "no last row inside": (csv_text(drop=6), "line 5: the curve does not end"),
    "curve twice": (csv_text() + "2024/01/02,3,0.00,0.0,20.0,\n", "line 12: the price falls"),
}


@pytest.mark.parametrize("name", BAD_CURVES)
def test_a_bad_curve_file_is_one_line_with_file_and_row(name: str, tmp_path: Path) -> None:
    """Wrong header, cells, dates, steps that go the wrong way, closing rows left out."""
    text, told = BAD_CURVES[name]
    path = tmp_path / "curves.csv"
    path.write_text(text, "cp932")
    assert_one_line(run("--jepx-curves", path), told, "curves.csv")


def test_a_file_that_is_no_parquet_or_text_is_one_line(tmp_path: Path) -> None:
    """Bytes of something else under either name, and a file that is not there."""
    for name, told in (("curves.parquet", "Parquet"), ("curves.csv", "UTF-8"), ("curves.csv.xz", "packed")):
        path = tmp_path / name
        path.write_bytes(b"\xff\x00\x81 nothing of the kind")
        assert_one_line(run("--jepx-curves", path), told, name)
    assert_one_line(run("--jepx-curves", tmp_path / "none.parquet"), "no such file", "none.parquet")


@cache
def published() -> Any:
    """Published prices and groups, read once."""
    groups = next(CURVES.glob("splitting_areas_*.csv.xz"))
    return read_published(DATA / "jepx_spot" / "spot_summary_2023.csv.xz"), read_groups(groups)


@pytest.mark.skipif(not CURVES.exists(), reason=f"no published curves at {CURVES}")
@pytest.mark.parametrize("month", PAIRS)
def test_every_published_curve_gives_its_published_price(month: str) -> None:
    """System prices, the areas of each group, and two groups coupled: both prices and the flow (JEPX 2023-24)."""
    pytest.importorskip("pyarrow", reason="the sample curves are a Parquet table")
    proof = compare_with_published(read_curves(CURVES / f"jepx_bid_curves_{month}.parquet"), *published())
    assert proof.wrong == []
    assert proof.ok
    assert proof.total[KINDS[0]] == 31 * 48
    assert (proof.total[KINDS[2]], proof.total[KINDS[3]]) == PAIRS[month]


@pytest.mark.skipif(not CURVES.exists(), reason=f"no published curves at {CURVES}")
def test_a_month_of_curves_clears_in_under_a_second() -> None:
    """After loading; the NumPy loop finds the same prices."""
    pytest.importorskip("pyarrow", reason="the sample curves are a Parquet table")
    (row,) = bench_curves(CURVES / "jepx_bid_curves_202401.parquet")
    assert row.same
    assert row.ours_s < SECONDS


@pytest.mark.skipif(not CURVES.exists(), reason=f"no published curves at {CURVES}")
def test_csv_and_parquet_of_a_day_are_the_same_curves(tmp_path: Path) -> None:
    """A day written in the official columns reads back to the same prices."""
    pandas, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pandas.read_parquet(CURVES / "jepx_bid_curves_202401.parquet")
    day = frame[frame["date"] == 20240115]
    day.to_parquet(tmp_path / "day.parquet")
    lines = [",".join(CSV_COLUMNS)]
    for date, slot, group, price, sell, buy in day.itertuples(index=False):
        name = "" if group < 0 else group
        lines.append(f"{date},{slot},{price / 100:.2f},{sell / 10:.1f},{buy / 10:.1f},{name}")
    (tmp_path / "day.csv").write_text("\n".join(lines), "cp932")
    assert prices_csv(read_curves(tmp_path / "day.csv")) == prices_csv(read_curves(tmp_path / "day.parquet"))
