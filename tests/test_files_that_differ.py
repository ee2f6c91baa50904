"""Files of one table that are written in different ways, and CSV files read batch by batch as in memory."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, feather, parquet

import semigen
import semigen.data
from semigen.columns.survey import learn_source
from semigen.exceptions import ClassNameWarning, LabelError, LabelWarning, TableError
from semigen.io import parts
from semigen.io.tables import read_table

ROWS = pa.table({"u": [1.5, 2.5, 3.5, 4.5], "y": ["a", None, "b", None]})


def write(rows, path):
    if path.suffix == ".parquet":
        parquet.write_table(rows, path)
    elif path.suffix == ".arrow":
        feather.write_feather(rows, str(path))
    else:
        csv.write_csv(rows, path)


def cells(source, name):
    return [cell for one in source.tables([name]) for cell in one[name].to_pylist()]


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".csv"])
def test_names_of_folders_are_columns_in_any_format(tmp_path, ending):
    for name in ("kind=x/year=1", "kind=a%20b/year=__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / name).mkdir(parents=True)
        write(ROWS, (tmp_path / name / "t").with_suffix(ending))
    source = semigen.data.from_files(tmp_path, "y")
    assert source.names == ("u", "kind", "year")
    assert cells(source, "kind") == ["a b"] * 4 + ["x"] * 4  # of no other column, too
    assert cells(source, "year") == [None] * 4 + [1] * 4
    by_name = semigen.data.from_files(tmp_path, "kind", drop=["y", "year"])
    assert learn_source(by_name, None, None).rows.labels.classes.tolist() == ["a b", "x"]


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".csv"])
@pytest.mark.parametrize("first", [True, False])
def test_files_without_the_target_are_unlabeled_and_it_is_said(tmp_path, ending, first):
    files = [ROWS, ROWS.drop_columns(["y"])]
    for name, rows in zip("ab", files if first else files[::-1], strict=True):
        write(rows, tmp_path / f"{name}{ending}")
    which = "b" if first else "a"
    with pytest.warns(LabelWarning, match=rf"1 of 2 files \(.*{which}\{ending}\) lack the column 'y'"):
        source = semigen.data.from_files(tmp_path, "y")
    rows = learn_source(source, None, None).rows
    assert (rows.n_rows, rows.of_label.tolist()) == (8, [6, 1, 1])
    with pytest.raises(TableError, match="no column 'z'"):  # no file has it
        semigen.data.from_files(tmp_path, "z")


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (datetime.date(2024, 5, 1), datetime.datetime(2024, 5, 1, 12), pa.timestamp("us")),
        (pa.scalar(3, pa.timestamp("s")), pa.scalar(4, pa.timestamp("ns")), pa.timestamp("ns")),
        (pa.scalar(3, pa.duration("s")), pa.scalar(4, pa.duration("ms")), pa.duration("ms")),
        (Decimal("1.25"), 2, pa.float64()),
        (pa.scalar("s", pa.string_view()), "t", pa.large_string()),
        (None, "t", pa.string()),
    ],
    ids=str,
)
def test_types_of_the_same_values_become_one(tmp_path, one, other, kind):
    for name, cell in (("a", one), ("b", other)):
        write(ROWS.append_column("v", pa.array([cell] * 4)), tmp_path / f"{name}.parquet")
    source = semigen.data.from_files(tmp_path, "y")
    assert source.schema.field("v").type == kind
    assert len(cells(source, "v")) == 8


def test_columns_that_are_left_out_may_differ(tmp_path):
    write(ROWS.append_column("v", pa.array([1] * 4)), tmp_path / "a.parquet")
    write(ROWS.append_column("v", pa.array(["x"] * 4)), tmp_path / "b.parquet")
    with pytest.raises(
        TableError, match=r"b\.parquet: column 'v' is string, and in .*a\.parquet it is int64"
    ):
        semigen.data.from_files(tmp_path, "y")
    assert semigen.data.from_files(tmp_path, "y", drop=["v"]).names == ("u",)
    stamps = [
        pa.array([datetime.datetime(2024, 1, 1)] * 4, pa.timestamp("us", zone)) for zone in (None, "UTC")
    ]
    for name, stamp in zip("ab", stamps, strict=True):
        write(ROWS.append_column("v", stamp), tmp_path / f"{name}.parquet")
    with pytest.raises(TableError, match="column 'v' is timestamp"):
        semigen.data.from_files(tmp_path, "y")


def of_csv(tmp_path, *files):
    for number, text in enumerate(files):
        (tmp_path / f"{number}.csv").write_text(text)
    return semigen.data.from_files(tmp_path, "y")


def test_empty_columns_and_files_of_csv_take_the_type_of_the_others(tmp_path):
    source = of_csv(tmp_path, "t,u,y\n,,\n", "t,u,y\nred,5,a\n", "t,u,y\n")
    assert cells(source, "t") == [None, "red"]
    assert cells(source, "u") == [None, 5.0]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [(("", "1", "2"), [1, 2]), (("1", "2", "odd"), ["1", "2", "odd"]), (("007", "012"), ["007", "012"])],
)
def test_classes_of_csv_files_are_of_one_type(tmp_path, labels, classes):
    source = of_csv(tmp_path, *(f"u,y\n1.5,{one}\n2.5,\n" for one in labels))
    assert learn_source(source, None, None).rows.labels.classes.tolist() == classes


@pytest.mark.parametrize(
    ("files", "codes"),
    [
        ((["01234", "98765"],), True),
        ((["98765", "12345"], ["01234"]), True),  # as if it were one file
        ((["01234"], ["123"]), False),
        ((["01", "12"],), False),
        ((["123", "456"],), False),
        ((["01234"], ["1.5"]), False),
        ((["01234", ""], [""]), True),
    ],
)
def test_codes_in_csv_files_are_those_in_memory(tmp_path, files, codes):
    source = of_csv(tmp_path, *("zip,y\n" + "".join(f"{cell},a\n" for cell in one) for one in files))
    together = "zip,y\n" + "".join(f"{cell},a\n" for one in files for cell in one)
    (tmp_path / "all.txt").write_text(together)
    here = read_table(tmp_path / "all.txt")["zip"]
    assert pa.types.is_string(here.type) == codes
    assert cells(source, "zip") == (here if codes else here.cast(pa.float64())).to_pylist()


def test_cells_with_line_breaks_and_lines_before_the_names(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "HEAD", 500)  # inside a cell
    monkeypatch.setattr(parts, "CSV_BLOCK", 700)
    text = "".join(f'{j},"line {j}\nanother, "" line\n{"x" * (j % 7)}",{"ab"[j % 2]}\n' for j in range(200))
    for head in (60, 61, 490, 505, 520):
        monkeypatch.setattr(parts, "HEAD", head)
        source = of_csv(tmp_path, "\n\r\nu,t,y\n" + text)
        assert cells(source, "u") == list(range(200))
        assert cells(source, "t")[199] == 'line 199\nanother, " line\nxxx'


def test_a_cell_that_never_ends_and_names_that_repeat(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "HEAD", 500)
    monkeypatch.setattr(parts, "CSV_BLOCK", 700)
    source = of_csv(tmp_path, "u,y\n" + "1,a\n" * 200 + '2,"a\n' + "1,a\n" * 2000)
    with pytest.raises(TableError, match=r"0\.csv, after row \d+ cannot be read: a row .* quotation mark"):
        cells(source, "u")
    with pytest.raises(TableError, match=r"0\.csv has more than one column named 'u'"):
        of_csv(tmp_path, "u,u,y\n1,2,a\n")


def test_what_is_no_path_and_what_is_no_weight(tmp_path):
    with pytest.raises(TableError, match="a Table is no path"):
        semigen.data.from_files(ROWS, "y")
    write(ROWS.append_column("w", pa.array(["heavy"] * 4)), tmp_path / "a.parquet")
    source = semigen.data.from_files(tmp_path, "y", weight="w")
    with pytest.raises(TableError, match=r"a\.parquet, row group 0: row weights must be numbers.*heavy"):
        learn_source(source, None, None)


def test_targets_without_a_class_are_refused(tmp_path):
    write(ROWS.set_column(1, "y", pa.array([[1], [2], None, None])), tmp_path / "list.parquet")
    with pytest.raises(
        LabelError, match=r"list\.parquet, row group 0: the target 'y' has cells of type list"
    ):
        learn_source(semigen.data.from_files(tmp_path / "list.parquet", "y"))
    write(ROWS.set_column(1, "y", pa.array(["?", None, None, None])), tmp_path / "none.parquet")
    for marker, weight in (("?", 1.0), (None, 0.0)):
        rows = parquet.read_table(tmp_path / "none.parquet")
        write(rows.append_column("w", pa.array([weight, 1.0, 1.0, 1.0])), tmp_path / "w.parquet")
        source = semigen.data.from_files(tmp_path / "w.parquet", "y", weight="w")
        with pytest.raises(LabelError, match="the target 'y' has no label in 4 rows"):
            learn_source(source, None, marker)


def test_a_model_of_codes_reads_them_batch_by_batch(tmp_path):
    rng = np.random.default_rng(0)
    zips = np.array(["01234", "02345", "98765"])[rng.integers(0, 3, 300)]
    lines = [f"{rng.normal():.3f},{z},{'' if j % 3 else 'ab'[z > '1']}" for j, z in enumerate(zips)]
    source = of_csv(tmp_path, "u,zip,y\n" + "\n".join(lines[:150]), "u,zip,y\n" + "\n".join(lines[150:]))
    model = semigen.MixtureClassifier(unlabeled=None, family={"zip": "categorical"}, unlabeled_weight=1.0)
    model.fit(source)
    assert set(model.schema_.levels[1]) == {"01234", "02345", "98765"}
    assert [len(model.predict(one)) for one in source.tables()] == [150, 150]


def test_markers_are_missing_in_any_format(tmp_path):
    rows = ROWS.append_column("t", pa.array(["x", "?", "NA", None])).append_column(
        "n", pa.array([1, -9, 3, 4])
    )
    for ending in (".parquet", ".arrow", ".csv"):
        write(rows, tmp_path / f"t{ending}")
        source = semigen.data.from_files(tmp_path / f"t{ending}", "y", missing=["?", "-9"])
        assert cells(source, "n") == [1, None, 3, 4]
        assert cells(source, "t") == ["x", None, None if ending == ".csv" else "NA", None]
    assert source.fingerprint != semigen.data.from_files(tmp_path / "t.csv", "y").fingerprint


def test_classes_that_may_be_none_are_told_with_their_rows(tmp_path):
    write(ROWS.set_column(1, "y", pa.array(["a", "none", "none", None])), tmp_path / "t.parquet")
    with pytest.warns(ClassNameWarning, match=r"rows of the class 'none' \(2 rows\)"):
        learn_source(semigen.data.from_files(tmp_path / "t.parquet", "y"))


@pytest.mark.parametrize("read", [semigen.data.from_files, semigen.data.from_parquet])
def test_links_to_nothing_and_files_of_another_kind_are_told(tmp_path, read):
    write(ROWS, tmp_path / "a.parquet")
    (tmp_path / "b.parquet").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TableError, match=r"b\.parquet links to .*elsewhere, which does not exist: restore"):
        read(tmp_path, "y")
    (tmp_path / "b.parquet").unlink()
    (tmp_path / "notes.txt").write_text("rows of 2024")
    with pytest.raises(TableError, match=r"notes\.txt cannot be read: .*leave it out: a pattern such as"):
        read(tmp_path, "y")
    (tmp_path / "_SUCCESS").write_text("")
    assert cells(read(str(tmp_path / "*.parquet"), "y"), "u") == ROWS["u"].to_pylist()


def test_a_column_may_not_be_another_one_than_its_folder_says(tmp_path):
    for cell in (1, 2):
        (tmp_path / f"v={cell}").mkdir()
        same = pa.array([cell] * 4, pa.int32())
        write(ROWS.append_column("v", same), tmp_path / f"v={cell}" / "t.parquet")
    assert cells(semigen.data.from_files(tmp_path, "y"), "v") == [1] * 4 + [2] * 4
    write(ROWS.append_column("v", pa.array([2, 2, 3, 2], pa.int32())), tmp_path / "v=2" / "t.parquet")
    with pytest.raises(
        TableError, match=r"v=2.t\.parquet: column 'v' has the cell 3, and .* folder says 2: give"
    ):
        semigen.data.from_files(tmp_path, "y")
    for cell in (1, 2):
        write(ROWS.append_column("v", pa.array([0.5] * 4)), tmp_path / f"v={cell}" / "t.parquet")
    with pytest.raises(TableError, match=r"incompatible types.*A folder named 'a=1' is a column a, too"):
        semigen.data.from_files(tmp_path, "y")


def test_names_that_repeat_in_a_parquet_file_are_told_with_a_cure(tmp_path):
    write(ROWS.append_column("u", ROWS["u"]), tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"duplicate field names\. Give each column a name of its own"):
        semigen.data.from_files(tmp_path / "t.parquet", "y")


@pytest.mark.parametrize("ending", [".parquet", ".arrow"])
def test_text_that_is_no_text_is_placed(tmp_path, ending):
    bytes_ = pa.array([b"caf\xe9", b"a", None, b"b"], pa.binary())
    text = pa.StringArray.from_buffers(4, bytes_.buffers()[1], bytes_.buffers()[2], bytes_.buffers()[0])
    path = (tmp_path / "t").with_suffix(ending)
    write(ROWS.append_column("v", text), path)
    source = semigen.data.from_files(path, "y")
    with pytest.raises(
        TableError, match=r"(row group|record batch) 0: column 'v' is text with bytes that are no"
    ):
        learn_source(source, None, None)
    learn_source(semigen.data.from_files(path, "y", drop=["v"]), None, None)
    with pytest.raises(TableError, match="column 'v' is text with bytes that are no"):
        read_table(path)
