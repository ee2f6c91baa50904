"""Cells that hold several numbers, or choices of a list."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

import semigen
from command_line import fit, found_by, run
from frames import frame, library
from semigen.columns import describe, learn, read, restore
from semigen.columns.several import Options, options_of, several_numbers
from semigen.exceptions import ColumnError, ColumnWarning

__all__ = ["frame", "library"]  # fixtures
pytestmark = pytest.mark.filterwarnings("ignore::semigen.exceptions.ColumnWarning")

RNG = np.random.default_rng(0)
UPPER, LOWER = RNG.integers(90, 180, 60), RNG.integers(50, 110, 60)
NORTH, EAST = RNG.normal(0, 50, (2, 60)).round(3)
COLORS = ("red", "blue", "green", "dark gray", "pink")
CHOSEN = RNG.random((60, 5)) < [0.6, 0.5, 0.4, 0.3, 0.2]
CHOSEN[0] = True


def chosen(separator, form="{}"):
    return [form.format(separator.join(np.array(COLORS)[row])) for row in CHOSEN]


NUMBERS = {
    "pressure": (UPPER, LOWER, [f"{a}/{b}" for a, b in zip(UPPER, LOWER, strict=True)]),
    "unit": (UPPER, LOWER, [f"{a} / {b}  mmHg" for a, b in zip(UPPER, LOWER, strict=True)]),
    "size": (UPPER, LOWER, [f"{a}x{b} cm" for a, b in zip(UPPER, LOWER, strict=True)]),
    "feet": (UPPER, LOWER, [f"{a}'{b}\"" for a, b in zip(UPPER, LOWER, strict=True)]),
    "error": (UPPER, LOWER, [f"{a} ± {b}" for a, b in zip(UPPER, LOWER, strict=True)]),
    "degrees": (UPPER, LOWER, [f"{a}°{b}'N" for a, b in zip(UPPER, LOWER, strict=True)]),
    "words": (UPPER, LOWER, [f"{a} ft {b} in" for a, b in zip(UPPER, LOWER, strict=True)]),
    "place": (NORTH, EAST, [f"{a}, {b}" for a, b in zip(NORTH, EAST, strict=True)]),
    "point": (NORTH, EAST, [f"POINT ({a} {b})" for a, b in zip(NORTH, EAST, strict=True)]),
    "array": (NORTH, EAST, [f"[{a: .3f} {b: .3f}]" for a, b in zip(NORTH, EAST, strict=True)]),
    "list": (NORTH * 1e9, EAST / 1e9, [f"[{a}, {b}]" for a, b in zip(NORTH * 1e9, EAST / 1e9, strict=True)]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_between_the_same_marks_are_a_column_each(frame, name):
    first, second, cells = NUMBERS[name]
    (found,) = describe(frame({"x": [*cells, "?"]}))
    assert (found.kind, found.n_missing) == ("number", 1)
    assert found.reason.startswith("becomes 2 numbers (as ")
    schema, matrix = learn(frame({"x": [*cells, None, "?"]}))
    assert schema.names == ("x: number 1", "x: number 2")
    assert_array_equal(matrix[:-2], np.column_stack([first, second]))
    assert np.isnan(matrix[-2:]).all()
    assert_array_equal(read(schema, frame({"x": cells[:3]})), matrix[:3])
    (one,) = schema.encoded
    again = one.encoder.restore(matrix)
    assert_array_equal(one.encoder.read("x", again[:-2]), matrix[:-2])
    assert again[-2:] == [None, None]


def test_cells_that_are_written_otherwise_are_refused_with_their_row(frame):
    schema, _ = learn(frame({"x": NUMBERS["pressure"][2]}))
    with pytest.raises(ColumnError, match=r"2 numbers a cell in the model, such as .*row 1 is '120-80'"):
        read(schema, frame({"x": ["120/80", "120-80"]}))


@pytest.mark.parametrize(
    "form",
    ["{}-{}", "{}:{}:1", "{}.{}.1.1", "A{}/{}", "0{}/{}", "{},{}", "{} {}", "{}/{}/1/1/1/1/1", "{}"],
    ids=["hyphen", "colon", "address", "code", "padded", "comma", "telephone", "many", "one"],
)
def test_codes_and_single_numbers_are_no_several_numbers(form):
    cells = [form.format(a, b) for a, b in zip(UPPER, LOWER, strict=True)]
    assert several_numbers(cells) is None
    pressure = NUMBERS["pressure"][2]
    assert several_numbers(pressure[:20]) is None  # levels
    assert several_numbers([*pressure, "high"]) is None
    assert several_numbers([*pressure, "1/2/3"]) is None


@pytest.mark.parametrize(
    "cells",
    [chosen(";"), chosen(", "), chosen(" | "), chosen(";", "{};"), chosen("', '", "['{}']")],
    ids=[";", ",", "|", "last", "list"],
)
def test_each_choice_of_a_list_is_a_flag(frame, cells):
    (found,) = describe(frame({"x": cells}))
    assert (found.kind, found.use) == ("text", True)
    assert found.reason.startswith("becomes a flag for each of its 5 options (")
    schema, matrix = learn(frame({"x": [*cells, None]}))
    assert schema.kinds == ("flag",) * 5
    order = [COLORS.index(name.removeprefix("x: ")) for name in schema.names]
    empty = np.array([not cell.strip("[]';") for cell in cells])
    there = [not cell.strip() for cell in cells]
    assert_array_equal(matrix[:-1][~np.array(there)], CHOSEN[:, order][~np.array(there)])
    assert empty.any()
    assert np.isnan(matrix[-1]).all()
    known = cells[0].replace("pink", "violet")
    assert read(schema, frame({"x": [known]})).sum() == 4  # one that is new has no flag
    (one,) = schema.encoded
    assert_array_equal(one.encoder.read("x", one.encoder.restore(matrix[:1])), matrix[:1])


def as_numpy_prints(options):
    return str(np.array(options, dtype=object))


def with_its_types(options):
    return f"[{', '.join(f'np.str_({one!r})' for one in options)}]"


@pytest.mark.parametrize(
    "make",
    [list, tuple, set, np.array, json.dumps, str, as_numpy_prints, with_its_types],
    ids=lambda one: one.__name__,
)
def test_lists_of_text_are_choices_however_they_are_given(make):
    colors = ("red", "light, blue", "[gr\u00fcn]", "it's; dark", 'C:\\d "x"')
    options = [list(np.array(colors)[row]) for row in CHOSEN]
    cells = [make([str(one) for one in row]) for row in options]
    names = [f"x: {color}" for color in colors]
    with_gap = pd.DataFrame({"x": [*cells, None]}, index=range(7, 68))
    tables = [with_gap]
    if make is list:
        tables.append(pl.DataFrame({"x": [*cells, None]}))
        tables += [tables[1].to_arrow(), tables[1].to_pandas(use_pyarrow_extension_array=True)]
    for table in tables:
        schema, matrix = learn(table)
        order = [schema.names.index(name) for name in names]
        assert_array_equal(matrix[:-1, order], CHOSEN)
        assert np.isnan(matrix[-1]).all()
        assert_array_equal(read(schema, pd.DataFrame({"x": options[:4]})), matrix[:4])
        assert_array_equal(read(schema, pd.DataFrame({"x": [[]]})), [[0] * 5])
        assert_array_equal(read(schema, restore(schema, matrix)), matrix)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"])
def test_nothing_in_a_list_of_text_is_left_out(frame):
    options = [[color for color, use in zip(COLORS, row, strict=True) if use] for row in CHOSEN]
    schema, matrix = learn(frame({"x": [[None, *row] if j % 3 else row for j, row in enumerate(options)]}))
    expected = learn(frame({"x": options}))
    assert schema.names == expected[0].names
    assert_array_equal(matrix, expected[1])
    assert_array_equal(read(schema, frame({"x": [[None]]})), [[0] * len(COLORS)])


def test_cells_without_any_known_choice_are_told(frame):
    schema, _ = learn(frame({"x": chosen(";")}))
    for cells in (["red", "violet", "", "[]"], ["blue;violet", "green"]):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read(schema, frame({"x": cells}))
    others = [cell.replace(";", ", ") for cell in chosen(";") if ";" in cell]
    for cells in (["red", "violet", "pale"], others):
        with pytest.warns(ColumnWarning, match=r"'x'.* none of the 5 options .*between them is ';'"):
            read(schema, frame({"x": cells}))


def test_other_text_with_separators_is_no_list_of_choices():
    few = [f"{'xyz'[j % 3]}, {'abc'[j % 7 % 3]}" for j in range(60)]
    prose = [" ".join(RNG.choice(["the", "cat,", "sat", "on", "a", "mat,"], 9)) for _ in range(60)]
    names = [f"Smith {j}, John" if j % 2 else f"Jones {j}" for j in range(60)]
    rare = [f"{cell};more {j}" if j % 3 else cell for j, cell in enumerate(chosen(";"))]
    seldom = [*["red"] * 50, *["blue"] * 45, "red;blue", "blue;red;green", "green"]
    for cells in (few, prose, names, rare, seldom, ["a;a;b", "a", "b", "a;b"] * 9, ["a;b", "c"] * 30):
        assert options_of(cells) is None
    assert str(options_of(["a;b", "a", "b"] * 30)) == str(Options(";", ("a", "b")))
    other = [f"{cell};more {j}" if j % 20 == 0 else cell for j, cell in enumerate(chosen(";"))]
    assert set(options_of(other).options) == set(COLORS)  # what somebody wrote beside the list


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([f"{100 * (j % 26):,}" for j in range(300)], "number"),
        ([f"${500 * (j % 79):,}" for j in range(300)], "number"),
        (["0,5", "1", "1,5", "2", "2,5", "3,5", "?"] * 40, "number"),
        (["40 minutes", *[f"{j % 4 + 1} hours, {j // 4 % 9} minutes" for j in range(300)]] * 2, "date"),
    ],
    ids=["thousands", "dollars", "halves", "durations"],
)
def test_numbers_and_durations_with_commas_are_no_choices(frame, cells, kind):
    assert describe(frame({"x": cells}))[0].kind == kind


def test_a_list_of_choices_asked_for_as_a_category_has_its_cells_for_levels(frame):
    cells = chosen(";")
    schema, _ = learn(frame({"x": cells}), {"x": "category"})
    assert schema.levels[0] is not None
    assert set(schema.levels[0]) == set(cells)


@pytest.fixture(scope="module")
def patients():
    """What tells the classes is in cells that hold several values."""
    rng = np.random.default_rng(5)
    ill = rng.random(160) < 0.5
    upper, lower = rng.normal(np.where(ill, 160, 120), 9).round(), rng.normal(80, 8, 160).round()
    signs = rng.random((160, 4)) < np.where(ill, 0.7, 0.3)[:, None]
    table = pd.DataFrame(
        {
            "noise": rng.normal(size=160),
            "pressure": [f"{a:.0f}/{b:.0f}" for a, b in zip(upper, lower, strict=True)],
            "signs": [";".join(np.array(["cough", "fever", "rash", "ache"])[row]) for row in signs],
        }
    )
    return table, np.where(ill, "ill", "well")


def test_models_learn_from_them(patients, tmp_path):
    table, truth = patients
    y = np.where(np.arange(160) < 30, truth.astype(object), None)
    for model in (
        semigen.MixtureClassifier(unlabeled=None),
        semigen.AutoClassifier(n_mixtures=4, unlabeled=None),
    ):
        with pytest.warns(ColumnWarning, match="became 2 numbers"):
            model.fit(table, y)
        assert np.mean(model.predict(table) == truth) > 0.95
        semigen.save(model, tmp_path / "model.semigen", overwrite=True)
        again = semigen.load(tmp_path / "model.semigen")
        assert_array_equal(again.predict_proba(table), model.predict_proba(table))
    assert list(model.schema_.input_names) == ["noise", "pressure", "signs"]


def test_the_command_line_reads_them(patients, tmp_path, monkeypatch):
    table, truth = patients
    monkeypatch.chdir(tmp_path)
    table.assign(state=np.where(np.arange(160) < 60, truth, "")).to_csv("visits.csv", index=False)
    table.assign(state=truth).to_csv("new.csv", index=False)
    said = " ".join(fit("visits.csv", "--target", "state").stdout.split())
    assert "pressure (becomes 2 numbers (as " in said
    assert "signs (becomes a flag for each of its 4 options (" in said
    said = run("predict", "visits-semigen/model.semigen", "new.csv", "--out", "p.csv").stdout
    assert np.mean(pd.read_csv("p.csv")["predicted"] == truth) > 0.95


# --- columns and rows that are copies


def test_a_copy_of_a_column_is_not_used_unless_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = RNG.normal(size=80).round(3)
    gaps = pd.Series(values).where(values > -1)
    table = pd.DataFrame({"a": values, "b": values[::-1], "c": values, "d": gaps, "e": gaps})
    table.assign(y=np.where(values > 0, "p", "n")).to_csv("t.csv", index=False)
    used = {}
    for name, options in (("usual", ()), ("named", ("--as", "c=number")), ("dropped", ("--drop", "a"))):
        fit("t.csv", "--target", "y", "--out", name, *options)
        columns = found_by(name)[2]["columns"]
        used[name] = [one["name"] for one in columns if one["use"]]
        reasons = {one["name"]: one["reason"] for one in columns}
        assert reasons["e"] == "the same as d"
    assert reasons["c"] == ""
    assert used == {"usual": ["a", "b", "d"], "named": ["a", "b", "c", "d"], "dropped": ["b", "c", "d"]}


def test_rows_that_repeat_are_noted_where_cases_differ(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    n = 150
    table = pd.DataFrame({"x": RNG.normal(size=n).round(4), "kind": RNG.choice(["a", "b"], n)})
    table["y"] = np.where(table["x"] > 0, "p", "n")
    again = pd.concat([table, table[:30]])
    levels = pd.DataFrame({"kind": list("ab") * n, "size": RNG.integers(1, 9, 2 * n), "y": list("pn") * n})
    said = {}
    for name, one in {
        "once": table,
        "twice": again,
        "few": pd.concat([table, table[:9]]),
        "levels": levels,
    }.items():
        one.to_csv(f"{name}.csv", index=False)
        said[name] = "repeat another one" in fit(f"{name}.csv", "--target", "y").stderr
    assert said == {"once": False, "twice": True, "few": False, "levels": False}
    assert "30 of 180 rows repeat" in fit("twice.csv", "--target", "y", "--force").stderr


def test_a_long_name_is_shown_by_its_beginning_and_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    question = f"Q1. How often {'(think of the last weeks) ' * 9}do you go there?"
    table = pd.DataFrame({question: RNG.normal(size=60), "b": RNG.normal(size=60), "y": list("pn") * 30})
    table.to_csv("t.csv", index=False)
    said = " ".join(fit("t.csv", "--target", "y").stdout.split())
    assert "Q1. How often (think of the last weeks) … do you go there?, b" in said
    assert found_by("t-semigen")[2]["columns"][0]["name"] == question


def test_documents_beside_choices_are_features_and_no_words(frame):
    prose = [" ".join(RNG.choice(["good", "tea", "cold", "cake", "late", "again"], 5)) for _ in range(60)]
    assert set(learn(frame({"x": prose}), sparse=True)[0].kinds) == {"word"}
    schema, _ = learn(frame({"x": prose, "y": chosen(";")}), sparse=True)
    assert set(schema.kinds) == {"number", "flag"}


# --- cells of strangers


def test_what_is_restored_can_be_read_again(frame):
    sizes = [f"{a}x{b} cm" for a, b in zip(UPPER - 120, LOWER - 80, strict=True)]
    fruit = [f"banana ({a}, {b})" for a, b in zip(UPPER, LOWER, strict=True)]
    for cells in (*(cells for _, _, cells in NUMBERS.values()), sizes, fruit):
        schema, matrix = learn(frame({"x": cells}))
        (one,) = schema.encoded
        for numbers in (matrix, -matrix, matrix * 1e-20, matrix * 1e20):
            again = one.encoder.restore(numbers)
            assert_array_equal(one.encoder.read("x", again), numbers)
            assert_array_equal(read(schema, frame({"x": again})), numbers)


def test_telephone_numbers_after_a_word_are_no_several_numbers():
    assert several_numbers([f"Tel {a} {b}" for a, b in zip(UPPER, LOWER, strict=True)]) is None


def test_a_long_cell_is_shown_by_its_beginning(frame):
    vectors = [f"[{', '.join(map(str, row))}]" for row in RNG.normal(size=(40, 500)).round(9)]
    (found,) = describe(frame({"x": vectors}))
    assert found.reason.startswith("becomes 500 numbers (as '[")
    assert len(found.reason) < 150
    weights, times = [f"{a} kg" for a in UPPER[:40]], [f"{a}m {a % 60}s" for a in UPPER[:40]]
    table = {"x": vectors, "z": weights, "t": times, "s": NUMBERS["pressure"][2][:40]}
    schema, _ = learn(frame(table))
    for name in table:
        with pytest.raises(ColumnError, match="row 1") as error:
            read(schema, frame({**table, name: ["?", "a" * 9_999, *["?"] * 38]}))
        assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("cells", "odd"),
    [
        (list(map(str, range(60))), "1" * 5_000),
        ([f"{n // 60}:{n % 60:02d}" for n in range(60)], f"{'1' * 400}:00"),
        ([f"{n // 7 + 1}m {n % 7}s" for n in range(60)], f"{'1m ' * 200_000}?"),
        ([f"{n // 7 + 1}m {n % 7}s" for n in range(60)], f"5 m{' 1:11' * 50_000}\n?"),
        (NUMBERS["pressure"][2], "1/" * 200_000),
        (chosen(", "), "," * 500_000),
        (chosen("', '", "['{}']"), "['" * 200_000),
        (chosen("', '", "['{}']"), "[" + '"a", ' * 200_000),
        (chosen("', '", "['{}']"), "['a'" + " " * 200_000 + "b"),
    ],
    ids=[
        "digits",
        "clock",
        "units",
        "clocks",
        "numbers",
        "separators",
        "open lists",
        "a long list",
        "spaces",
    ],
)
def test_a_cell_of_a_stranger_stops_nothing(frame, cells, odd):
    described = [describe(frame({"x": one}))[0] for one in ([odd, *cells], [*cells, odd])]
    assert described[0] == described[1]
    assert len(described[0].reason) < 200
