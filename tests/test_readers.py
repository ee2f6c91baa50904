"""Readers of tables: what was written is what is read, whoever wrote it."""

from __future__ import annotations

import csv
import gzip
import io
import string
import sys
import zipfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from semigen.cli.sources import TableSource
from semigen.cli.sources.numbers import read_numbers_again, read_written_numbers
from semigen.columns import learn
from semigen.columns.numerals import Numerals, numerals_of
from semigen.exceptions import ColumnError, MissingExtraError, TableError
from semigen.io.reading import Reading
from semigen.io.scan import from_files
from semigen.io.tables import open_table, read_table, spreadsheet_safe
from semigen.io.writing import write_table

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Any text but surrogates, which no file can hold, and carriage returns, which some writers make new lines.
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=12)
NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"'), min_size=1, max_size=8)


def by_csv(columns, file):
    rows = zip(*columns.values(), strict=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([list(columns), *rows])


WRITERS = {
    "csv": by_csv,
    "pandas": lambda columns, file: pd.DataFrame(columns).to_csv(file, index=False, lineterminator="\n"),
    "polars": lambda columns, file: pl.DataFrame(columns).write_csv(file, quote_style="always"),
    "pyarrow": lambda columns, file: pa.csv.write_csv(pa.table(columns), file),
}


@pytest.mark.parametrize("writer", sorted(WRITERS))
@QUICK
@given(cells=st.lists(CELL, min_size=2, max_size=6), name=NAME)
@example(cells=["NA", "null", "007", "1e5", " x ", "", "1.0", "TRUE"], name="y")
@example(cells=[";", ";"], name=";")
@example(cells=["", ";"], name=";")
def test_text_is_read_as_it_is_written(tmp_path, writer, cells, name):
    if writer == "pandas":  # it quotes nothing here, so that x,n;y is a header with either separator
        assume(not set(name) & set(";|"))
    columns = {"first": ["x"] * len(cells), f"n{name}": cells}
    WRITERS[writer](columns, tmp_path / "t.csv")
    file = open_table(tmp_path / "t.csv")
    assert file.names == tuple(columns)
    found = file.written([f"n{name}"])[f"n{name}"].to_pylist()
    assert found == [cell if cell else None for cell in cells]


@QUICK
@given(
    cells=st.lists(CELL.filter(bool), min_size=1, max_size=5),
    separator=st.sampled_from([*";|\t^:~", " "]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    packed=st.booleans(),
)
def test_any_separator_and_encoding(tmp_path, cells, separator, encoding, packed):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([["u", "y"], *(["1", cell] for cell in cells)])
    content = text.getvalue().encode(encoding)
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    file = open_table(path, Reading(separator=separator))
    assert file.written(["y"])["y"].to_pylist() == cells


VALUES = {
    "integers": st.integers(-(2**53), 2**53),
    "floats": st.floats(allow_nan=False, allow_infinity=False),
    "flags": st.booleans(),
    "texts": st.text(st.sampled_from(string.ascii_letters), min_size=2, max_size=5).map(lambda s: f"t{s}"),
}


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".csv.gz", ".parquet", ".feather", ".arrow", ".jsonl"])
@pytest.mark.parametrize("kind", sorted(VALUES))
@QUICK
@given(data=st.data())
def test_what_is_written_here_is_read_here(tmp_path, ending, kind, data):
    cells = data.draw(st.lists(st.none() | VALUES[kind], min_size=2, max_size=6).filter(any))
    table = pa.table({"row": list(range(len(cells))), "x": pa.array(cells)})
    write_table(table, tmp_path / f"t{ending}", ending)
    found = read_table(tmp_path / f"t{ending}")["x"].to_pylist()
    assert found == cells
    assert [type(cell) for cell in found if cell is not None] == [
        type(cell) for cell in cells if cell is not None
    ] or kind == "floats"


@QUICK
@given(
    value=st.floats(-1e9, 1e9).map(lambda value: round(value, 2)),
    group=st.sampled_from([",", " ", "'", "’", "\u00a0", "\u202f", ""]),
    symbol=st.sampled_from(["", "$", "€", "£", "%"]),
    before=st.booleans(),
    swapped=st.booleans(),
)
def test_numbers_are_what_people_mean(value, group, symbol, before, swapped):
    text = f"{value:,.2f}".replace(",", "\0").replace(".", "\1")
    mark, group = (",", "." if group == "," else group) if swapped else (".", group)
    text = text.replace("\0", group).replace("\1", mark)
    text = f"{symbol}{text}" if before else f"{text} {symbol}".strip()
    found = numerals_of([text, text])
    assert found is not None
    assert found.read(text) == value
    assert found.read("x") is None


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["20,412"], [20412]),
        (["20,412", "3.5"], [20412, 3.5]),
        (["1,5", "1,234"], [1.5, 1.234]),
        (["12,34,567"], [1234567]),
        (["(1,200)", "7"], [-1200, 7]),
        (["−5 %", "3%"], [-5, 3]),
        (["$-5", "-$5", "$ 5"], [-5, -5, 5]),
        (["EUR 1.200,50", "EUR 3"], [1200.5, 3]),
        (["R$ 5", "7"], [5, 7]),
        (["-5 °C", "7.5°C"], [-5, 7.5]),
        (["3 years", "10 years"], [3, 10]),
        (["1 year", "2 years"], None),
        (["5 kg", "7"], None),
        (["70X", "80X"], None),
        (["0.5", "50%"], None),
        (["$5", "€5"], None),
        (["1.2.3"], None),
        (["1,2,3"], None),
        (["2020-01-01"], None),
        (["--5"], None),
        (["-(5)"], None),
        (["1 2"], None),
        ([""], None),
        ([], None),
    ],
)
def test_numerals(cells, numbers):
    found = numerals_of(cells)
    assert numbers == (None if found is None else list(map(found.read, cells)))


def test_words_for_nothing_beside_numbers_of_a_file_are_missing():
    cells = {"age": ["31", "?", "45"], "paid": ["$5", "$1,200", "-"], "zip": ["01067", "?", "94110"]}
    found, numerals, notes = read_written_numbers(pa.table(cells), [], [], ".")
    assert found.to_pydict() == {**cells, "age": [31, None, 45], "paid": [5, 1200, None]}
    assert notes[0].startswith("read as numbers: age ('?' is missing), paid ('$5' is 5, '-' is missing).")
    noted = {name: asdict(one) for name, one in numerals.items()}
    new = pa.table({"age": ["N/A", "7"], "paid": ["$6", "?"]})
    again = read_numbers_again(new, ["age", "paid"], noted, ".", Path("new.csv"))
    assert again.to_pydict() == {"age": [None, 7], "paid": [6, None]}


def test_another_decimal_mark_than_that_of_the_fit_is_read_where_asked_for():
    noted = {"paid": asdict(Numerals(".", "$"))}
    there = pa.table({"paid": ["$3.120,21", "$4.000", "-"], "age": ["44,5", "21,0", "7"]})
    read = partial(read_numbers_again, there, ["paid", "age"], noted, ".", Path("new.csv"))
    assert read(",").to_pydict() == {"paid": [3120.21, 4000, None], "age": [44.5, 21, 7]}
    with pytest.raises(ColumnError, match=r"'\$3.120,21' in row 0 .* a comma, add --decimal ,$"):
        read()
    odd = there.set_column(0, "paid", pa.array(["$3.120,21", "twelve", "$1"]))
    with pytest.raises(ColumnError, match=r"--missing='\$3.120,21'$"):
        read_numbers_again(odd, ["paid"], noted, ".", Path("new.csv"))
    noted = {"age": asdict(Numerals(","))}
    with pytest.raises(ColumnError, match="was a comma in the table of the fit"):
        read_numbers_again(pa.table({"age": ["1,200.50"]}), ["age"], noted, ".", Path("new.csv"))


def test_the_decimal_mark_in_doubt():
    assert numerals_of(["1,234"]) == Numerals(".")
    assert numerals_of(["4.648 €", "14.648 €", "648 €"]) == Numerals(",", "€")
    assert numerals_of(["4.648 €", "14.6 €", "648 €"]) == Numerals(".", "€")
    assert numerals_of(["1.659 €", "1.709 €"]) == Numerals(".", "€")
    weights = [f"{number}.{number + 100} kg" for number in range(1, 11)]
    assert numerals_of([*weights, "7 kg"]) == Numerals(",", "kg")
    assert numerals_of([*weights, "0.125 kg", "7 kg"]) == Numerals(".", "kg")
    assert numerals_of(weights) == Numerals(".", "kg")
    assert numerals_of(["1,234"], ",") == Numerals(",")
    assert numerals_of(["1,234", "1,234,567"], ",") == Numerals(".")


HEADS = {
    '"sep=|"\r\na|b\r\n1,5|2\r\n': "|",
    "a,b\n1,2\n": ",",
    "a;b\n1,5;2\n": ";",
    "size, cm;y\n1,5;2\n2,5;3\n": ";",
    "a\tb,c\n1\t2\n": "\t",
    "a|b\n1|2\n": "|",
    'a,"b;c;d"\n1,2\n': ",",
    "only\n1\n2\n": ",",
    '"size\nin cm";y\n1,5;2\n2,5;3\n': ";",
    '"a, all\nof it"\tb\n"x\ny"\t2\n': "\t",
    "a;note, long\n" + '1;"some\nthing, that\ntakes\nlines"\n' * 9: ";",
    "inch,kg;y\n" + '5";1\n' * 3: ";",
}


@pytest.mark.parametrize("head", sorted(HEADS))
def test_separators_are_told_from_the_first_rows(tmp_path, head):
    (tmp_path / "t.csv").write_text(head)
    assert open_table(tmp_path / "t.csv").separator == HEADS[head]


def test_the_line_in_which_excel_names_the_separator_is_no_row(tmp_path):
    (tmp_path / "t.csv").write_text("sep=;\na;b\n1;x\n2;y\n")
    assert open_table(tmp_path / "t.csv").typed().to_pydict() == {"a": [1, 2], "b": ["x", "y"]}
    source = from_files(tmp_path / "t.csv", "b")
    assert [cell for one in source.tables(["a", "b"]) for cell in one["b"].to_pylist()] == ["x", "y"]
    (tmp_path / "t.csv").write_text("sep=no,b\n1,2\n")
    assert open_table(tmp_path / "t.csv").names == ("sep=no", "b")


def test_an_encoding_that_is_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("größe,y\n1,é\n2,b\n".encode("latin-1"))
    table = read_table(path, reading=Reading(encoding="latin-1"))
    assert table.column_names == ["größe", "y"]
    assert table["y"].to_pylist() == ["é", "b"]
    with pytest.raises(TableError, match=r"t.csv is not text in ascii.*position"):
        read_table(path, reading=Reading(encoding="ascii"))
    with pytest.raises(TableError, match="no such encoding"):
        read_table(path, reading=Reading(encoding="latin-99"))


def test_an_encoding_that_cannot_be_guessed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    (tmp_path / "t.csv").write_bytes("größe,y\n1,très bon\n".encode("latin-1"))
    assert open_table(tmp_path / "t.csv").encoding == "cp1252"
    (tmp_path / "t.csv").write_bytes("u,y\n1,нет\n".encode("cp1251"))
    with pytest.raises(TableError, match=r"--encoding latin-1.*semigen\[tables\]"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("cp1252", "crème brûlée"),
        ("cp1252", "très bon"),
        ("cp1252", "São Paulo"),
        ("cp1252", "5 €"),
        ("cp1252", "Straße à “Größe” – ¿qué?"),
        ("cp1251", "хорошо плохо"),
        ("cp1250", "zażółć gęślą"),
        ("cp1251", "Широкая электрификация южных губерний даст мощный толчок подъёму"),
        ("shift_jis", "こんにちは世界"),
    ],
)
def test_an_encoding_that_is_guessed(tmp_path, encoding, word):
    pytest.importorskip("charset_normalizer")
    (tmp_path / "t.csv").write_bytes(("u,y\n" + f"1,{word} {word}\n" * 5).encode(encoding))
    file = open_table(tmp_path / "t.csv")
    assert file.written(["y"])["y"].to_pylist() == [f"{word} {word}"] * 5
    assert "--encoding" in file.notes[0]
    assert next(part for part in word.split() if not part.isascii())[:2] in file.notes[0]


def test_spreadsheets(tmp_path, monkeypatch):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["u", "v", None, "y"], [1, "?", True, "007"], [2.5, 3, None, "8"], [None, 4.5, False, None]):
        sheet.append(row)
    book.create_sheet("notes")
    book.create_sheet("more").append(["z"])
    book["more"].append([7])
    book.save(tmp_path / "t.xlsx")
    file = open_table(tmp_path / "t.xlsx", Reading(missing=("?",)))
    assert file.typed().to_pydict() == {
        "u": [1.0, 2.5, None],
        "v": [None, 3.0, 4.5],
        "unnamed: 2": [True, None, False],
        "y": ["007", "8", None],
    }
    assert "3 sheets; the first, 'Sheet', is read (--sheet reads 'notes', 'more')" in file.notes[0]
    other = open_table(tmp_path / "t.xlsx", Reading(sheet="more"))
    assert (other.typed().to_pydict(), other.notes) == ({"z": [7]}, ())
    with pytest.raises(TableError, match=r"no sheet 'less' .*: it has 'Sheet', 'notes', 'more'"):
        open_table(tmp_path / "t.xlsx", Reading(sheet="less"))
    with pytest.raises(TableError, match=r"is empty: sheet 'notes' has no cell; --sheet reads another one"):
        open_table(tmp_path / "t.xlsx", Reading(sheet="notes"))
    with pytest.raises(TableError, match=r"no column 'z'.* another sheet .*\('notes', 'more'\)"):
        TableSource.read(tmp_path / "t.xlsx", "z")
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(MissingExtraError, match=r"semigen\[tables\]"):
        open_table(tmp_path / "t.xlsx")


def test_markers_of_missing_cells_in_files_with_types(tmp_path):
    table = pa.table(
        {"n": [1, -999, 3], "t": ["1.5", "?", "2.5"], "c": ["a", "?", "b"], "code": ["01", "2", "3"]}
    )
    write_table(table, tmp_path / "t.parquet", ".parquet")
    found = open_table(tmp_path / "t.parquet", Reading(missing=("?", "-999"))).typed()
    assert found.to_pydict() == {
        "n": [1, None, 3],
        "t": [1.5, None, 2.5],
        "c": ["a", None, "b"],
        "code": ["01", "2", "3"],
    }


def test_json_lines_with_gaps(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"a": 1, "b": "x"}\n\n{"b": null, "c": 2.5}\n')
    assert read_table(tmp_path / "t.jsonl").to_pydict() == {
        "a": [1, None],
        "b": ["x", None],
        "c": [None, 2.5],
    }


def test_standard_input(monkeypatch):
    for content in (b"u,y\n1,a\n", gzip.compress(b"u,y\n1,a\n"), b'{"u": 1, "y": "a"}\n', _parquet()):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert read_table(Path("-")).to_pydict() == {"u": [1], "y": ["a"]}


def _parquet():
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"u": [1], "y": ["a"]}), sink)
    return sink.getvalue()


def test_formulas_are_disarmed():
    table = pa.table(
        {"=a": ["=1+1", "x", None], "b": [-1, 2, 3], "c": ["+1", "-1", "@f"], "d": ["\tx", "\rx", ""]}
    )
    assert spreadsheet_safe(table).to_pydict() == {
        "'=a": ["'=1+1", "x", None],
        "b": [-1, 2, 3],
        "c": ["'+1", "'-1", "'@f"],
        "d": ["'\tx", "'\rx", ""],
    }


def test_a_gzip_file_is_refused_while_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("semigen.io.packed.MOST_BYTES", 1000)
    content = gzip.compress(b"u,y\n" + b"1,a\n" * 10**6)
    (tmp_path / "t.csv.gz").write_bytes(content[:-20])  # whose end would be an error of its own
    with pytest.raises(TableError, match="larger than 2 GiB"):
        open_table(tmp_path / "t.csv.gz")


def zipped(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return path


def test_a_table_in_a_zip_archive_is_read_as_it_is(tmp_path, monkeypatch):
    text = b"u;y\n1,5;a\n2,5;b\n"
    path = zipped(tmp_path / "t.zip", in__t_csv=text, readme_md=b"#", in___t_csv=b"")
    (tmp_path / "t.csv").write_bytes(text)
    plain = Reading(decimal=",")
    assert read_table(path, reading=plain).equals(read_table(tmp_path / "t.csv", reading=plain))
    assert read_table(zipped(path, t_csv_gz=gzip.compress(text))).column_names == ["u", "y"]
    assert read_table(zipped(path, t_parquet=_parquet())).num_rows > 0
    for files, said in (({"a_csv": text, "b_tsv": text}, r"2 tables \(a\.csv, b\.tsv\)"), ({}, "no table")):
        with pytest.raises(TableError, match=f"holds {said}"):
            open_table(zipped(path, **files))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(TableError, match="no zip archive"):
        open_table(path)
    monkeypatch.setattr("semigen.io.packed.MOST_BYTES", 1000)
    with pytest.raises(TableError, match="larger than 2 GiB"):
        open_table(zipped(path, t_csv=b"u,y\n" + b"1,a\n" * 1000))


def test_names_below_titles_are_found(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('Export of today\n"by, me"\n\nu,y\n1,a\n')
    assert open_table(path).row_of(["y", "u"]) == 4
    assert open_table(path).row_of(["z"]) is None
    pd.DataFrame([["Export", None], [None, None], ["u", "y"], [1, "a"]]).to_excel(
        tmp_path / "t.xlsx", header=False, index=False
    )
    assert open_table(tmp_path / "t.xlsx").row_of(["y"]) == 3


def test_a_row_that_is_too_short_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("\nu,v\n1,2\n3\n")
    with pytest.raises(TableError, match=r"row 3: Expected 2 columns, got 1.*--separator"):
        read_table(tmp_path / "t.csv")


def test_whole_numbers_of_one_width_with_zeros_in_front_are_codes(tmp_path):
    path = tmp_path / "t.csv"
    rows = (
        (f"{j % 5:03d}", f"{j:02d}", j, "" if j % 3 else f"{j:05d}", "007" if j == 7 else j)
        for j in range(20)
    )
    path.write_text("three,two,n,gaps,stray\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows))
    table = read_table(path)
    assert table["three"].to_pylist()[:2] == ["000", "001"]
    assert table["gaps"].to_pylist()[:4] == ["00000", None, None, "00003"]
    assert [pa.types.is_integer(table[name].type) for name in ("two", "n", "stray")] == [True] * 3
    options = {"drop": ["two", "n", "gaps", "stray"], "least_classes": 0}
    for read_as, kind in (({}, "category"), ({"three": "count"}, "count"), ({"three": "text"}, "text")):
        source = TableSource.read(path, "y", read_as=read_as, **options)
        assert source.kinds == {"three": kind}
        assert not source.notes


def test_a_class_with_one_label_and_an_id_with_a_space_are_told(tmp_path):
    path = tmp_path / "t.csv"
    rows = (f"{j + 500},{j / 7},{'xyyz'[j] if j < 4 else ''}" for j in range(20))
    path.write_text("\n".join(["Row No,u,y", *rows]))
    source = TableSource.read(path, "y")
    assert source.labels.notes == (
        "in 'y', 'x', 'z' have one label, which cannot be held out, so the scores are of the other classes.",
    )
    assert "--as 'Row No=number' uses it" in source.columns[0].reason


def test_times_of_a_place_stay_on_its_clocks(tmp_path):
    """A table gives the same columns as CSV, as Parquet, and in parts."""
    berlin = pd.date_range("2024-03-30 22:30", periods=60, freq="7h", tz="Europe/Berlin")
    frame = pd.DataFrame({"x": berlin, "y": [0, 1] * 30})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    wanted = learn(frame[["x"]], {"x": "date"})[1]
    for name in ("t.csv", "t.parquet"):
        assert_array_equal(learn(open_table(tmp_path / name).typed().select(["x"]), {"x": "date"})[1], wanted)
        (batch,) = from_files(tmp_path / name, target="y").batches()
        assert_array_equal(learn(batch.table, {"x": "date"})[1], wanted)
    (tmp_path / "z.csv").write_text("x\n2024-03-30 22:30:00Z\n")
    assert open_table(tmp_path / "z.csv").typed().schema.field("x").type.tz == "UTC"
