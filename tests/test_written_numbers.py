"""Numbers and dates as people write them: what was meant is read, in tables to come as in that of the fit."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from frames import frame, library
from semigen.cli.sources import ReadOptions, TableSource
from semigen.cli.sources.numbers import read_numbers_again, read_written_numbers
from semigen.columns import describe, infer, learn, read
from semigen.columns.dates import dates_of_column
from semigen.columns.encoders import learn_date
from semigen.columns.numerals import Numerals, currencies_of, numerals_of, numerals_of_column
from semigen.exceptions import ColumnError, ColumnWarning
from semigen.io.reading import Reading
from semigen.io.tables import open_table

__all__ = ["frame", "library"]  # fixtures


def turned(text: str) -> str:
    """Points as commas and commas as points."""
    return text.translate(str.maketrans(",.", ".,"))


RNG = np.random.default_rng(0)
WHOLE = np.append(RNG.integers(100, 9_000, 60), [915, 2_500])
PARTS = RNG.uniform(0, 4_000, 62).round(2)
WRITTEN = {
    "thousands": (WHOLE, [f"{x:,}" for x in WHOLE]),
    "parts": (PARTS, [f"{x:,.2f}" for x in PARTS]),
    "limits": (PARTS, [f"{'<>≤~'[j % 4] if j % 5 == 0 else ''}{x}" for j, x in enumerate(PARTS)]),
    "or more": (WHOLE, [f"{x}+" if x > 8_000 else f"{x}" for x in WHOLE]),
    "points": (PARTS, [f"{x:.2f}/4000.0" for x in PARTS]),
    "out of": (PARTS, [f"{x:.2f} out of 4000 points" for x in PARTS]),
    "millions": (WHOLE * 1e4, [f"{x / 100}M" if x > 1_000 else f"{x}0K" for x in WHOLE]),
    "views": (PARTS * 1e3, [f"{x}K views" for x in PARTS]),
    "share below 1": (PARTS / 4_000, [f"{x:.9f}" for x in PARTS / 4_000]),
}
WRITTEN = {
    name: (np.roll(numbers, place), np.roll(texts, place).tolist())  # no two columns are the same
    for place, (name, (numbers, texts)) in enumerate(WRITTEN.items())
}


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_table_is_read_as_it_was_meant_and_so_is_every_part_of_it(tmp_path, separator, swapped):
    cells = {name: [turned(x) if swapped else x for x in texts] for name, (_, texts) in WRITTEN.items()}
    table = pd.DataFrame({**cells, "y": np.where(np.arange(62) % 2, "a", "b")})
    table.to_csv(tmp_path / "fit.csv", index=False, sep=separator)
    source = TableSource.read(tmp_path / "fit.csv", "y")
    found = source.rows.features.to_pydict()
    assert found == {name: pytest.approx(numbers.tolist()) for name, (numbers, _) in WRITTEN.items()}
    model = SimpleNamespace(schema_=learn(source.rows.features)[0])
    noted = {"target": "y", "reading": source.reading}
    for j in range(0, 62, 5):  # a single row leaves more open than the table
        table.iloc[[j]].to_csv(tmp_path / "new.csv", index=False, sep=separator)
        rows = TableSource.read_new(
            tmp_path / "new.csv", model, Path("model"), None, noted, ReadOptions()
        ).features.to_pydict()
        assert rows == {name: pytest.approx([numbers[j]]) for name, (numbers, _) in WRITTEN.items()}


def test_measurements_with_three_decimals_are_no_thousands(tmp_path):
    for cells in (
        ["1.250", "0.125", *(f"{j}.{j + 100}" for j in range(1, 30)), "7"],
        ["1.25", *(f"{j}.{j + 100}" for j in range(1, 30)), "7"],
        [f"{j}.{j + 100}" for j in range(1, 30)],
        ["1250.125", *(f"{j}.{j + 100}" for j in range(1, 30)), "7"],
        [*(f"{j % 9 + 1}.{j + 100}" for j in range(300)), "7", "1.25"],
        [*(f"{j}.{j + 100}e1" for j in range(1, 30)), "7"],
    ):
        pd.DataFrame({"x": cells, "z": "a"}).to_csv(tmp_path / "x.csv", index=False)
        assert open_table(tmp_path / "x.csv", Reading()).typed()["x"].to_pylist() == list(map(float, cells))


def test_one_decimal_mark_for_a_table_unless_its_columns_disagree():
    doubt, comma, point = ["20,412", "7,125"], ["1.250,5", "3"], ["1,250.5", "3"]
    read = {
        name: read_written_numbers(pa.table(table), [], [], ".")[0]["x"].to_pylist()
        for name, table in {
            "alone": {"x": doubt},
            "comma": {"x": doubt, "other": comma},
            "both": {"x": doubt, "other": comma, "third": point},
            "program": {"x": doubt, "other": comma, "third": [1.5, 2.5]},
        }.items()
    }
    assert read == {
        name: [20.412, 7.125] if name == "comma" else [20412.0, 7125.0]
        for name in ("alone", "comma", "both", "program")
    }


def test_a_column_that_a_program_wrote_is_no_column_of_the_fit():
    numerals = Numerals(",", " kg")
    assert numerals.read_column(["672.812", "2672.8"]) == ([672.812, 2672.8], [])
    assert numerals.read_column(["672.812", "2.672"]) == ([672812, 2672], [])
    assert numerals.read_column(["672.812", "2672.8", "x"])[1] == [2]
    columns = pa.table({"x": ["2.509", *["1.125"] * 10, "7"]})  # the fit had numbers, and so has this table
    again = read_numbers_again(columns, ["x"], {}, ",", Path("new.csv"))
    assert again["x"].to_pylist() == [2.509, *[1.125] * 10, 7]


def test_numbers_do_not_begin_with_zeros_between_thousands():
    assert numerals_of(["0,123", "0,45"]).read("0,123") == 0.123
    assert numerals_of(["0,123", "0,456"]).read("0,456") == 0.456


def test_limits_of_few_values_are_levels(frame):
    """Of <50 and >50 the numbers are one."""
    many = [f"{j}" for j in range(21)]
    assert numerals_of_column(["<50", ">50"] * 20) is None
    assert numerals_of_column([*many[:19], "<50"]) is None
    assert numerals_of_column([*many, "<50"]) == Numerals()
    assert describe(frame({"x": ["<50", ">50"] * 20}))[0].kind == "category"
    assert describe(frame({"x": ["1", "2", "3", "4", "5+"] * 20}))[0].kind == "category"
    with pytest.warns(ColumnWarning, match="'<50' is 50"):
        assert_array_equal(learn(frame({"x": [*many, "<50"]}))[1][:, 0], [*range(21), 50])


def test_points_of_one_maximum_are_numbers_and_other_fractions_are_not():
    assert numerals_of(["4/5", "3.5/5"]) == Numerals(".", "/5")
    assert numerals_of(["4 / 5", "3 / 5"]).read("3 / 5") == 3
    for cells in (["4/5", "4/15"], ["120/80", "110/70"], ["12/31/2020", "11/30/2020"]):
        assert numerals_of(cells) is None


def test_thousands_and_millions_are_numbers_and_letters_of_codes_are_not():
    shorts = [f"{j}K" if j % 3 else f"{j}" for j in range(60)]
    assert numerals_of_column(shorts) == Numerals()
    assert numerals_of_column([f"€{j}M" if j % 3 else f"€{j}" for j in range(60)]) == Numerals(".", "€")
    for cells in (
        shorts[:20],  # levels
        [f"{j}{'MB'[j % 2] if j % 3 else ''}" for j in range(60)],  # doors of a house
        [f"{j}{'KAB'[j % 3]}" for j in range(60)],
        [f"{j}K" for j in range(10_000, 10_060)],
    ):
        assert numerals_of_column(cells) is None
    assert numerals_of_column(["4.648M", *(f"{j}K" for j in range(60))]).read("4.648M") == 4_648_000
    assert [Numerals().read(cell) for cell in ("1.2M", "3 bn", "<5k", "(2K)")] == [1.2e6, 3e9, 5e3, -2e3]


# --- the same kinds in a data frame


def test_repeated_values_with_units_or_dates_are_no_levels(frame):
    shares = [f"{j % 30} %" for j in range(300)]
    days = [f"{j % 28 + 1:02d}/{j % 12 + 1:02d}/2024" for j in range(400)]
    for cells, kind in ((shares, "number"), (days, "date"), (days[:3] * 60, "category")):
        assert infer(nw.from_native(frame({"x": cells})).get_column("x")) == kind


# --- dates


DAYS = [dt.datetime(2024, 1, 1) + dt.timedelta(days=9 * j, hours=5 * j % 24) for j in range(60)]


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%S", "%d/%m/%Y", "%m/%d/%Y %H:%M", "%H:%M", "%d %b %Y"])
@pytest.mark.parametrize("odd", ["soon", "0000-00-00", "31/02/2024", "24:61"])
def test_a_few_cells_that_are_no_dates_are_missing(frame, form, odd):
    days = [*DAYS, *(dt.datetime(2020, 3, 2, hour, 7 * hour % 60) for hour in range(24))]
    good = [day.strftime(form) for day in days]
    cells = [*good[:5], f" {odd} ", *good[5:], odd]
    missing = np.isin(np.arange(len(cells)), [5, len(cells) - 1])
    (found,) = describe(frame({"x": cells}))
    assert (found.kind, found.n_missing) == ("date", 2)
    assert found.reason.endswith(f"; {odd!r} is missing")
    with pytest.warns(ColumnWarning, match=rf"\('{odd}' is missing\)"):
        schema, matrix = learn(frame({"x": cells}))
    clean, expected = learn(frame({"x": good}), {"x": "date"})
    assert clean.names == schema.names
    assert np.isnan(matrix[missing]).all()
    assert_array_equal(matrix[~missing], expected)
    assert_array_equal(read(schema, frame({"x": [good[1], odd]})), np.vstack([expected[1], matrix[5]]))
    with pytest.raises(ColumnError, match="its cell in row 1 is 'late'"):
        read(schema, frame({"x": [good[1], "late"]}))


@pytest.mark.parametrize(
    "odd", [["a", "b", "c", "d"], ["soon"] * 9, ["7A", "8A", "9A", "7B"]], ids=["many", "often", "codes"]
)
def test_other_cells_among_dates_are_text(odd):
    assert dates_of_column([*(day.strftime("%d/%m/%Y") for day in DAYS), *odd]) is None
    assert dates_of_column([*(day.strftime("%d/%m/%Y") for day in DAYS[:20]), odd[0]]) is None


def test_the_order_of_day_and_month_is_that_of_most_cells():
    """Three cells are no reason to take the day for the month."""
    days = [day.strftime("%d/%m/%Y") for day in DAYS if day.day <= 12]
    days += [f"{j % 12 + 1:02d}/{j % 11 + 1:02d}/2023" for j in range(132)]
    assert dates_of_column([*days, "13/01/2024"]) == ("%d/%m/%Y", ())
    assert dates_of_column([*days, "13/01/2024", "soon"]) == ("%d/%m/%Y", ("soon",))
    assert dates_of_column([*days, "01/13/2024", "01/14/2024", "15/01/2024"]) == ("%m/%d/%Y", ("15/01/2024",))


def test_dates_may_be_written_in_several_ways(frame):
    ways = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%y", "%B %d, %Y")
    cells = [day.strftime(ways[j % 4]) for j, day in enumerate(DAYS)]
    schema, matrix = learn(frame({"x": cells}), {"x": "date"})
    clean, expected = learn(frame({"x": [day.strftime("%Y-%m-%d") for day in DAYS]}), {"x": "date"})
    assert schema.names == clean.names
    assert_array_equal(matrix, expected)
    assert_array_equal(read(schema, frame({"x": cells[:4]})), expected[:4])
    assert "written as 2024-12-31, 31/12/2024, 31.12.24 and December 31, 2024" in str(schema.encoded[0])
    with pytest.raises(ColumnError, match=r"such as 2024-12-31, .*row 1 is 'late'"):
        read(schema, frame({"x": [cells[0], "late"]}))
    assert dates_of_column([*cells, "12:30"]) == ("|".join(["", *ways[1:]]), ("12:30",))  # no day


def test_a_column_has_one_order_of_day_and_month():
    days = [f"{j % 12 + 1:02d}/{j % 28 + 1:02d}/2023" for j in range(60)]
    assert dates_of_column([*days, *(f"{j}.{j}.2024" for j in range(1, 9))]) == ("%m/%d/%Y|%d.%m.%Y", ())
    assert dates_of_column([*days, *(f"{j}/{j - 12}/24" for j in range(13, 25))]) is None
    assert dates_of_column([*days, *(f"{j}-{j - 12}-2024" for j in range(13, 25))]) is None


LASTS = [dt.timedelta(seconds=int(s)) for s in np.random.default_rng(3).integers(1, 500_000, 60)]


@pytest.mark.parametrize(
    "write",
    [
        lambda s: f"{s // 60}m {s % 60:02d}s",
        lambda s: f"{s // 86_400} days {s // 3600 % 24:02d}:{s // 60 % 60:02d}:{s % 60:02d}",
        lambda s: f"{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d}",
        lambda s: f"{s // 3600} hours, {s // 60 % 60} min and {s % 60} sec.",
        lambda s: f"{s / 3600!r}h" if s % 2 else f"{s / 60!r} min",
        lambda s: str(pd.Timedelta(s, "s")),
    ],
    ids=["minutes", "days", "clock", "words", "either", "pandas"],
)
def test_durations_in_text_are_those_of_a_type(frame, write):
    cells = [write(int(one.total_seconds())) for one in LASTS]
    (found,) = describe(frame({"x": cells}))
    assert (found.kind, found.reason) == ("date", "becomes its time")
    schema, matrix = learn(frame({"x": cells}), {"x": "date"})
    expected = learn(frame({"x": LASTS}), {"x": "date"})
    assert schema.names == expected[0].names
    assert_allclose(matrix, expected[1], atol=1e-10)
    (one,) = schema.encoded
    assert one.encoder.restore(matrix) == [dt.timedelta(seconds=int(x.total_seconds())) for x in LASTS]


def test_numbers_of_one_unit_or_of_unknown_ones_are_no_durations():
    for cells in (
        [f"{j} min" for j in range(60)],  # a number with a unit
        [f"{j}h" if j % 2 else f"{j}x" for j in range(60)],
        [f"{j}y {j % 12}m" for j in range(60)],  # months or minutes
        [f"{j} may" if j % 2 else f"{j}s" for j in range(60)],
    ):
        assert dates_of_column(cells) is None


def test_dates_of_a_type_are_read_as_their_cells_are(frame):
    """Whole columns at once give what one cell after the other gives."""
    berlin = pd.Series(DAYS).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    for cells in (
        [*DAYS, None],
        [*(day.date() for day in DAYS), None],
        [*(day - DAYS[7] for day in DAYS), None],
        [*map(pd.Timestamp.to_pydatetime, berlin), None] if frame is pd.DataFrame else [None, *DAYS],
        [dt.datetime(1890, 5, 1, 12, 30, 1, 7), None, *DAYS],
    ):
        table = frame({"x": cells})
        schema, matrix = learn(table, {"x": "date"})
        twin = learn_date("x", cells)
        (one,) = schema.encoded
        assert asdict(one.encoder) == asdict(twin)
        assert_allclose(matrix, twin.read("x", cells), rtol=1e-15)


def test_times_and_durations_of_a_type_are_read_from_text_too(frame):
    """As where a model is fitted on Parquet, and the rows to predict come as CSV."""
    clocks = [dt.time(j % 24, 7 * j % 60, 11 * j % 60, j % 2 * 500) for j in range(60)]
    for cells, texts in (
        (LASTS, [str(pd.Timedelta(one)) for one in LASTS]),
        (clocks, list(map(str, clocks))),
        (clocks, [str(one)[:8] for one in clocks]),
    ):
        schema, matrix = learn(frame({"x": cells}), {"x": "date"})
        assert_allclose(read(schema, frame({"x": texts})), matrix, atol=1e-8)
        with pytest.raises(ColumnError, match=r"such as (3h 20min|23:59:00), .*row 0 is 'late'"):
            read(schema, frame({"x": ["late"]}))


def test_a_day_of_the_week_before_a_time_of_the_day_is_not_lost():
    """It would be the same for a shop that opens on Monday and one that opens on Sunday."""
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    assert dates_of_column([f"{days[j % 7]} {j % 24}:{7 * j % 60:02d}" for j in range(60)]) is None
    for form in ("%d/%m/%Y", "%d-%b-%y", "%d.%m.%y", "%b %d, %Y"):
        assert dates_of_column([day.strftime(f"%a, {form}") for day in DAYS]) == (form, ())


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["€5", "$6.50", None, "€1,000.00"], ["€", "$"]),
        (["EUR 5", "5 USD", "(USD 7)"], ["USD", "EUR"]),
        (["€5", "€6", "7"], []),
        (["R$ 5", "R$ 6"], []),
        (["paid $5", "paid €3"], []),
        (["$", "€"], []),
        (["a", "b"], []),
        ([None, ""], []),
    ],
)
def test_amounts_in_several_currencies(cells, found):
    assert currencies_of(cells) == found
    assert not found or numerals_of_column(cells) is None


def test_amounts_in_several_currencies_stay_text_and_it_is_said():
    rng = np.random.default_rng(0)
    bill = [f"{'$' if j % 9 == 0 else '€'}{x}" for j, x in enumerate(rng.integers(9, 40, 60))]
    _, _, notes = read_written_numbers(pa.table({"bill": bill}), [], [], ".")
    assert notes == ("bill: amounts in € and $ stay text: in one currency they would be numbers",)
    assert read_written_numbers(pa.table({"bill": bill}), ["bill"], [], ".")[2] == ()
    said = r"of its letters; amounts in € and \$ stay text: in one .* To read it .*kinds={'bill': 'category'}"
    with pytest.warns(ColumnWarning, match=said):
        learn(pd.DataFrame({"bill": bill, "x": rng.normal(size=60)}))
