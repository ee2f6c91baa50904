"""Tables larger than memory: the same fit as in memory, block by block, and what can go wrong with files."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import csv, dataset, feather, parquet
from sklearn.base import clone

import semigen
import semigen.data
from semigen.columns.survey import learn_source
from semigen.em import hierarchy
from semigen.exceptions import ColumnError, LabelError, ParameterError, TableError
from semigen.io.paths import parts_of
from semigen.io.reading import Reading
from semigen.io.scan import FileSource

N_ROWS = 1500


def table(seed=0, *, mixed=False, missing=False, dtype=np.float64, weighted=False):
    """Three classes, one row in fifteen labeled."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, N_ROWS)
    x = (rng.normal(size=(3, 4))[truth] * 2 + rng.normal(size=(N_ROWS, 4))).astype(dtype)
    if missing:
        x[rng.random(x.shape) < 0.1] = np.nan
        x[7] = np.nan  # says nothing at all
    columns = {f"c{j}": x[:, j] for j in range(4)}
    if mixed:
        columns["color"] = np.array(["red", "green", "blue"])[(truth + rng.integers(0, 2, N_ROWS)) % 3]
        columns["flag"] = rng.random(N_ROWS) < 0.2 + 0.2 * truth
    if weighted:
        columns["w"] = rng.integers(0, 3, N_ROWS).astype(float)
    label = [None if rng.random() > 1 / 15 else "abc"[k] for k in truth]
    return pa.table({**columns, "y": pa.array(label, pa.string())})


def written(folder, rows, *, group=200):
    parquet.write_table(rows.slice(0, 700), folder / "a.parquet", row_group_size=group)
    parquet.write_table(rows.slice(700), folder / "b.parquet", row_group_size=group)
    return folder


def leaves(params):
    return semigen.em.records.as_vector(params)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ({}, "auto"),
        ({"mixed": True}, "diag"),
        ({"missing": True}, "full"),
        ({"dtype": np.float32}, "tied"),
        ({"weighted": True}, "diag"),
    ],
    ids=str,
)
def test_a_fit_to_files_is_the_fit_to_their_rows(tmp_path, kind, shape):
    rows = table(**kind)
    weight = rows["w"].to_numpy() if "w" in rows.column_names else None
    source = semigen.data.from_parquet(
        written(tmp_path, rows), "y", weight=None if weight is None else "w", batch_rows=300
    )
    model = {"covariance": shape, "unlabeled": None, "random_state": 0}
    features = rows.drop_columns(["y"] if weight is None else ["y", "w"])
    here = semigen.MixtureClassifier(**model).fit(features, rows["y"].to_pylist(), weight)
    there = semigen.MixtureClassifier(**model).fit(source)
    scale = 1e-4 if kind.get("dtype") == np.float32 else 1e-10
    np.testing.assert_allclose(leaves(there.params_), leaves(here.params_), atol=scale, rtol=scale)
    assert there.unlabeled_weight_ == pytest.approx(here.unlabeled_weight_, rel=1e-12)
    assert there.posterior_power_ == pytest.approx(here.posterior_power_, abs=10 * scale)
    assert there.schema_ == here.schema_
    np.testing.assert_allclose(there.predict_proba(features), here.predict_proba(features), atol=10 * scale)


def test_starts_of_several_components_read_the_rows_that_a_start_in_memory_takes(tmp_path):
    rows = table()
    source = semigen.data.from_parquet(written(tmp_path, rows), "y", batch_rows=500)
    model = {"components_per_class": 2, "n_novel_components": 1, "unlabeled": None, "random_state": 3}
    fits = [
        semigen.MixtureClassifier(**model, tol=1e-3).fit(X, y)
        for X, y in ((rows.drop_columns(["y"]), rows["y"].to_pylist()), (source, None))
    ]
    np.testing.assert_allclose(leaves(fits[1].params_), leaves(fits[0].params_), atol=1e-8, rtol=1e-8)


def test_a_fit_that_starts_on_a_sample_is_that_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(hierarchy, "MANY", 500)
    monkeypatch.setattr(hierarchy, "SAMPLE", 200)
    rows = table(weighted=True)
    source = semigen.data.from_parquet(written(tmp_path, rows), "y", weight="w", batch_rows=300)
    model = {"unlabeled": None, "random_state": 0}
    given = rows.drop_columns(["y", "w"]), rows["y"].to_pylist(), rows["w"].to_numpy()
    here, there = (
        semigen.MixtureClassifier(**model).fit(*given),
        semigen.MixtureClassifier(**model).fit(source),
    )
    np.testing.assert_allclose(leaves(there.params_), leaves(here.params_), atol=1e-8, rtol=1e-8)


def test_one_source_of_any_format(tmp_path):
    rows = table(mixed=True)
    csv.write_csv(rows, tmp_path / "t.csv")
    feather.write_feather(rows, str(tmp_path / "t.arrow"))
    (tmp_path / "parts").mkdir()
    parts = written(tmp_path / "parts", rows)
    sources = {
        "csv": semigen.data.from_files(tmp_path / "t.csv", "y", batch_rows=400),
        "arrow": semigen.data.from_files(tmp_path / "t.arrow", "y", batch_rows=700),
        "folder": semigen.data.from_files(parts, "y"),
        "glob": semigen.data.from_files(str(parts / "*.parquet"), "y"),
        "list": semigen.data.from_files([parts / "a.parquet", parts / "b.parquet"], "y"),
        "dataset": semigen.data.from_files(dataset.dataset(parts), "y"),
    }
    model = semigen.MixtureClassifier(covariance="diag", unlabeled=None, unlabeled_weight=1, tol=0.1)
    wanted = clone(model).fit(rows.drop_columns(["y"]), rows["y"].to_pylist())
    for name, source in sources.items():
        found = clone(model).fit(source)
        np.testing.assert_allclose(
            leaves(found.params_), leaves(wanted.params_), atol=1e-8, rtol=1e-8, err_msg=name
        )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_folder_of_csv_files_in_any_separator_and_encoding(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr("semigen.io.parts.HEAD", 301)  # in the middle of a line and of a character
    for name in ("1", "2"):
        lines = ["größe;y", *(f"{j};für Müller {'ü' * j}" for j in range(40))]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines), encoding=encoding)
    source = semigen.data.from_files(tmp_path, "y", encoding="cp1252" if encoding == "cp1252" else None)
    assert source.names == ("größe",)
    found = [cell for one in source.tables(["größe", "y"]) for cell in one["y"].to_pylist()]
    assert found == 2 * [f"für Müller {'ü' * j}" for j in range(40)]


def test_a_folder_of_csv_files_with_decimal_commas(tmp_path):
    for name in ("1", "2"):
        (tmp_path / f"{name}.csv").write_text("u;y\n1,5;a\n2;b\n")
    source = FileSource(parts_of(tmp_path, Reading(decimal=",")), "y")
    assert [cell for one in source.tables() for cell in one["u"].to_pylist()] == [1.5, 2.0, 1.5, 2.0]


def test_codes_with_zeros_in_front_are_text_in_all_files(tmp_path):
    (tmp_path / "1.csv").write_text("zip,n,y\n01067,012,a\n20095,7,b\n")
    (tmp_path / "2.csv").write_text("zip,n,y\n94110,5,a\n10001,6,b\n")
    source = semigen.data.from_files(tmp_path, "y")
    found = pa.concat_tables(source.tables()).to_pydict()
    assert found == {"zip": ["01067", "20095", "94110", "10001"], "n": [12, 7, 5, 6]}


@pytest.mark.filterwarnings("ignore::semigen.exceptions.ColumnWarning")
@pytest.mark.parametrize("gap", ["?", "adult"])
def test_gaps_written_as_words_are_missing_in_a_source(tmp_path, gap):
    rng = np.random.default_rng(0)
    share = 0.2 if gap == "?" else 0.05  # of a word that is not known everywhere
    cells = [(gap if rng.random() < share else str(age), f"{age}") for age in rng.integers(18, 80, 200)]
    rows = pa.table(
        {
            "age": [age for age, _ in cells],
            "size": rng.normal(size=200),
            "y": [
                ("young" if int(own) < 45 else "old") if j < 40 else None for j, (_, own) in enumerate(cells)
            ],
        }
    )
    csv.write_csv(rows, tmp_path / "t.csv")
    model = semigen.MixtureClassifier(covariance="diag", unlabeled=None, unlabeled_weight=1, tol=0.1)
    found = clone(model).fit(semigen.data.from_files(tmp_path / "t.csv", "y", batch_rows=64))
    wanted = clone(model).fit(rows.drop_columns(["y"]), rows["y"].to_pylist())
    assert found.schema_.input_kinds == {"age": "number", "size": "number"}
    np.testing.assert_allclose(leaves(found.params_), leaves(wanted.params_), atol=1e-8, rtol=1e-8)


def test_whole_numbers_of_a_csv_file_are_measurements_but_for_classes(tmp_path):
    path = tmp_path / "t.csv"
    cells = [
        f"{j if j < 700_000 else j + 0.5},{'' if j % 9 else j % 2},{'' if j < 700_000 else 2}"
        for j in range(800_000)
    ]
    path.write_text("a,y,late\n" + "\n".join(cells) + "\n")
    source = semigen.data.from_files(path, "y")
    rows = learn_source(source, None, None).rows
    assert rows.labels.classes.tolist() == [0, 1]
    assert rows.labels.classes.dtype.kind == "i"
    assert source.schema.field("late").type == pa.float64()
    assert rows.n_rows == 800_000


def test_columns_in_folder_names_and_a_filter(tmp_path):
    rows = table(mixed=True)
    parquet.write_to_dataset(rows, tmp_path / "d", partition_cols=["color"])
    source = semigen.data.from_files(tmp_path / "d", "y")
    assert set(source.names) == {"c0", "c1", "c2", "c3", "flag", "color"}
    found = learn_source(source, None, None)
    place = found.schema.names.index("color")
    assert set(found.schema.levels[place]) == {"red", "green", "blue"}
    assert sum(one.num_rows for one in source.tables()) == N_ROWS
    some = dataset.dataset(tmp_path / "d", partitioning="hive").filter(dataset.field("c0") > 0)
    filtered = semigen.data.from_files(some, "y")
    assert sum(one.num_rows for one in filtered.tables()) == int((rows["c0"].to_numpy() > 0).sum())


def test_levels_and_missing_values_are_those_of_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("semigen.columns.survey.SAMPLE_ROWS", 200)
    rows = table(mixed=True)
    rare = rows["color"].to_pylist()
    rare[1200] = "ultraviolet"
    hole = rows["c1"].to_numpy().copy()
    hole[1300] = np.nan
    rows = rows.set_column(4, "color", pa.array(rare)).set_column(1, "c1", pa.array(hole))
    found = learn_source(semigen.data.from_parquet(written(tmp_path, rows), "y"), None, None)
    assert "ultraviolet" in found.schema.levels[4]
    assert found.rows.missing.tolist() == [False, True, False, False, False, False]
    assert found.rows.sample.labels.is_labeled.sum() == rows["y"].null_count * -1 + N_ROWS
    assert found.rows.sample.n_rows == 200 + found.rows.sample.labels.is_labeled.sum()


def test_walks_over_labeled_rows_read_nothing(tmp_path):
    source = semigen.data.from_parquet(written(tmp_path, table()), "y")
    rows = learn_source(source, None, None).rows
    known = rows.where(rows.labels.pattern_labeled)
    for one in tmp_path.iterdir():
        one.unlink()
    assert sum(len(block.rows) for block in known.blocks(100)) == known.n_rows > 50
    with pytest.raises(TableError, match="has disappeared"):
        list(rows.blocks(100))


def test_no_more_than_a_few_batches_are_in_memory(tmp_path):
    source = semigen.data.from_parquet(written(tmp_path, table(), group=1500), "y", batch_rows=100)
    rows = learn_source(source, None, None).rows
    read = 0
    original = source._read

    def counted(names):
        nonlocal read
        for one in original(names):
            read += 1
            yield one

    source._read = counted
    engine = semigen.em.ThreadEngine(n_threads=2, block_rows=100)
    assert sum(engine.map_blocks(lambda block: len(block.rows), rows)) == N_ROWS
    assert read == 15
    blocks = iter(rows.blocks(100))
    read = 0
    next(blocks)
    assert read <= 6
    blocks.close()


@pytest.mark.parametrize("n_threads", [1, 3])
def test_as_many_blocks_are_in_memory_as_there_are_threads(n_threads):
    begun, done, most = 0, [], 0

    def blocks(most_rows):
        nonlocal begun, most
        for number in range(50):
            begun += 1
            most = max(most, begun - len(done))
            yield number

    def function(number):
        time.sleep(0.001)
        done.append(number)
        return number

    source = SimpleNamespace(n_rows=50, blocks=blocks)
    assert semigen.em.ThreadEngine(n_threads, 1).map_blocks(function, source) == list(range(50))
    assert 0 < most <= n_threads


@pytest.mark.parametrize("kind", [{}, {"missing": True}, {"weighted": True}], ids=str)
def test_rows_are_taken_as_from_memory(tmp_path, kind):
    rows = table(**kind)
    weight = rows["w"].to_numpy() if "w" in rows.column_names else None
    source = semigen.data.from_parquet(
        written(tmp_path, rows), "y", weight=None if weight is None else "w", batch_rows=170
    )
    streamed = learn_source(source, None, None).rows
    features = rows.drop_columns(["y"] if weight is None else ["y", "w"])
    here = semigen.MixtureClassifier(unlabeled=None)._read(features, rows["y"].to_pylist(), weight)[1]
    is_label = streamed.labels.pattern_labeled
    for which in (is_label | True, is_label, ~is_label):
        for factor in (1.0, 0.25):
            ours, theirs = (one.weighted(factor).where(which) for one in (streamed, here))
            assert (ours.n_rows, ours.n_columns) == (theirs.n_rows, theirs.n_columns)
            assert ours.total_weight == pytest.approx(theirs.total_weight)
            for positions in (np.arange(0, ours.n_rows, 7), np.arange(ours.n_rows)[::-11], np.arange(0)):
                found, wanted = ours.take(positions), theirs.take(positions)
                np.testing.assert_array_equal(found.x, wanted.x)
                np.testing.assert_array_equal(found.labels.pattern, wanted.labels.pattern)
                np.testing.assert_allclose(found.weight, wanted.weight)
    some = streamed.columns([2, 0])
    np.testing.assert_array_equal(some.take(np.array([5, 900])).x, here.columns([2, 0]).take([5, 900]).x)
    thin = streamed.in_memory(50)
    assert thin.n_rows == 50 + streamed.where(is_label).n_rows
    for which in (is_label, ~is_label):
        assert thin.where(which).total_weight == pytest.approx(here.where(which).total_weight)


def test_a_memory_mapped_array_is_not_copied(tmp_path):
    rows = table()
    x = np.column_stack([rows[f"c{j}"].to_numpy() for j in range(4)])
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    model = semigen.MixtureClassifier(unlabeled=None)
    _, data = model._read(mapped, rows["y"].to_pylist(), None)
    assert np.shares_memory(data.x, mapped)
    fits = [semigen.MixtureClassifier(unlabeled=None).fit(one, rows["y"].to_pylist()) for one in (x, mapped)]
    np.testing.assert_array_equal(leaves(fits[0].params_), leaves(fits[1].params_))


def damaged(path: Path, group: int, column: int = 0) -> None:
    """Overwrite the pages of a row group."""
    pages = parquet.ParquetFile(path).metadata.row_group(group).column(column)
    begin = pages.dictionary_page_offset or pages.data_page_offset
    state = path.stat()
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(b"\xff" * min(200, pages.total_compressed_size))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_an_unreadable_row_group_is_named(tmp_path):
    written(tmp_path, table())
    damaged(tmp_path / "b.parquet", 2)
    source = semigen.data.from_parquet(tmp_path, "y")
    with pytest.raises(TableError, match=r"b\.parquet, row group 2 cannot be read"):
        semigen.MixtureClassifier(unlabeled=None).fit(source)


def test_changed_values_are_noticed_where_a_file_has_checksums(tmp_path):
    parquet.write_table(table(), tmp_path / "a.parquet", write_page_checksum=True, compression="none")
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    pages = parquet.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(0)
    content[pages.data_page_offset + pages.total_compressed_size // 2] ^= 1
    (tmp_path / "a.parquet").write_bytes(content)
    source = semigen.data.from_parquet(tmp_path, "y")
    with pytest.raises(TableError, match=r"a\.parquet, row group 0 cannot be read: .*checksum"):
        semigen.MixtureClassifier(unlabeled=None).fit(source)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("gone", "disappeared since it was first read .*now no file"),
        ("other", "changed since it was first read .*, now [0-9,]+ bytes"),
        ("again", r"changed since it was first read \(still [0-9,]+ bytes, but written again\)"),
    ],
)
def test_a_file_that_changes_between_passes_is_named(tmp_path, how, told):
    written(tmp_path, table())
    rows = learn_source(semigen.data.from_parquet(tmp_path, "y"), None, None).rows
    if how == "gone":
        (tmp_path / "b.parquet").unlink()
    elif how == "again":
        os.utime(tmp_path / "b.parquet", (1, 1))
    else:
        parquet.write_table(table(seed=1).slice(0, 100), tmp_path / "b.parquet")
    with pytest.raises(TableError, match=rf"b\.parquet has {told}"):
        list(rows.blocks(1000))


def test_parts_that_differ_are_refused_but_for_types_of_numbers(tmp_path):
    rows = table()
    written(tmp_path, rows)
    parquet.write_table(rows.drop_columns(["c2"]), tmp_path / "c.parquet")
    with pytest.raises(TableError, match=r"c\.parquet lacks 'c2'"):
        semigen.data.from_parquet(tmp_path, "y")
    text = rows.set_column(2, "c2", rows["c2"].cast(pa.string()))
    parquet.write_table(text, tmp_path / "c.parquet")
    with pytest.raises(
        TableError, match=r"c\.parquet: column 'c2' is string, and in .*a\.parquet it is double"
    ):
        semigen.data.from_parquet(tmp_path, "y")
    whole = rows.set_column(2, "c2", pa.array(np.arange(N_ROWS)))
    parquet.write_table(whole, tmp_path / "c.parquet")
    source = semigen.data.from_parquet(tmp_path, "y")
    assert source.schema.field("c2").type == pa.float64()
    assert sum(one.num_rows for one in source.tables()) == 2 * N_ROWS


def test_a_cell_that_is_no_number_is_placed(tmp_path):
    path = tmp_path / "t.csv"
    lines = ["a,b,y", *(f"{j},{j % 7}.5,{'uv'[j % 2] if j < 20 else ''}" for j in range(1_000_000))]
    lines[-5] = "1,oops,"
    path.write_text("\n".join(lines) + "\n")
    source = semigen.data.from_files(path, "y")
    with pytest.raises(TableError, match=r"t\.csv.*oops"):
        for _ in source.tables():
            pass


@pytest.mark.parametrize("name", ["a.arrow", "a.parquet"])
def test_a_file_of_another_format_is_refused_with_a_cure(tmp_path, name):
    with pa.OSFile(str(tmp_path / name), "wb") as file, pa.ipc.new_stream(file, table().schema) as stream:
        stream.write_table(table())
    cure = "an Arrow file .* a stream is none" if name == "a.arrow" else "Write it as Parquet again"
    with pytest.raises(TableError, match=rf"{name} cannot be read: .*{cure}"):
        semigen.data.from_files(tmp_path / name, target="y")


def test_what_a_source_cannot_do_is_said(tmp_path):
    source = semigen.data.from_parquet(written(tmp_path, table()), "y")
    with pytest.raises(LabelError, match="X is a source"):
        semigen.MixtureClassifier(unlabeled=None).fit(source, ["a"] * N_ROWS)
    with pytest.raises(ParameterError, match="'cv' needs all rows"):
        semigen.MixtureClassifier(covariance="cv", unlabeled=None).fit(source)
    with pytest.raises(ParameterError, match="label_mechanism needs"):
        semigen.MixtureClassifier(label_mechanism="entropy", unlabeled=None).fit(source)
    with pytest.raises(TableError, match=r"no column 'yy'.*did you mean 'y'"):
        semigen.data.from_parquet(tmp_path, "yy")
    with pytest.raises(TableError, match="does not exist"):
        semigen.data.from_parquet(tmp_path / "nothing.parquet", "y")
    with pytest.raises(LabelError, match="classes are few values"):
        learn_source(semigen.data.from_parquet(tmp_path, "c0"), None, None)


def test_values_out_of_kind_are_placed(tmp_path):
    rows = table()
    x = rows["c0"].to_numpy().copy()
    x[1200] = np.inf
    written(tmp_path, rows.set_column(0, "c0", pa.array(x)))
    source = semigen.data.from_parquet(tmp_path, "y")
    with pytest.raises(ColumnError, match=r"b.parquet, row group 2: .*infinity in column 'c0'"):
        semigen.MixtureClassifier(unlabeled=None).fit(source)
    x[[1200, 1201]] = 1e308, 1.7e308  # only their sum is infinite
    written(tmp_path, rows.set_column(0, "c0", pa.array(x)))
    assert learn_source(semigen.data.from_parquet(tmp_path, "y"), unlabeled=None).rows.missing is None


def test_an_ensemble_learns_from_a_sample_and_its_mixture_from_all_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("semigen.columns.survey.SAMPLE_ROWS", 300)
    rows = table(mixed=True)
    source = semigen.data.from_parquet(written(tmp_path, rows), "y")
    auto = semigen.AutoClassifier(n_mixtures=1, unlabeled=None).fit(source)
    n_labeled = N_ROWS - rows["y"].null_count
    assert auto.n_unlabeled_ == N_ROWS - n_labeled
    assert auto.class_rows_.sum() == n_labeled
    assert (
        f"a source of {N_ROWS:,} rows: models and weights from {300 + n_labeled} of them" in auto.explanation_
    )
    assert auto.feature_names_in_.tolist() == list(source.names)
    mixture = auto.pool_.estimators_["mixture per class"]
    assert mixture.unlabeled_weight_ == pytest.approx(0.1 * 300 / (N_ROWS - n_labeled))
    features = rows.drop_columns(["y"])
    semigen.save(auto, tmp_path / "m.semigen")
    again = semigen.load(tmp_path / "m.semigen")
    np.testing.assert_allclose(again.predict_proba(features), auto.predict_proba(features), rtol=1e-12)
    # the mixture is the one that all rows give with these weights
    whole = semigen.MixtureClassifier(**{**mixture.get_params(), "tol": 1e-7, "max_iter": 500})
    whole.fit(features, rows["y"].to_pylist())
    np.testing.assert_allclose(mixture.predict_proba(features), whole.predict_proba(features), atol=0.02)
    with pytest.raises(LabelError, match="X is a source"):
        semigen.AutoClassifier(unlabeled=None).fit(source, rows["y"])


def soft(rows):
    """Labels as probabilities: certain, candidates of two classes, shares, equal ones, and none."""
    code = np.array(["abc".index(one) if one else -1 for one in rows["y"].to_pylist()])
    y = np.where(code[:, None] < 0, np.nan, np.eye(3)[code])
    known = np.flatnonzero(code >= 0)
    y[known[::4]] = np.where(y[known[::4]] == 1, 0.8, 0.1)
    y[known[1::4], 0] = 1.0
    y[known[2]] = 1.0  # any class: unlabeled
    return y


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_labels_may_be_columns_of_probabilities_or_candidates(tmp_path, ending):
    rows = table().append_column("w", pa.array(np.arange(N_ROWS) % 3 + 0.0))
    y = soft(rows)
    features = rows.drop_columns(["y", "w"])
    whole = features.append_column("w", rows["w"])
    for name, column in zip("abc", y.T, strict=True):
        whole = whole.append_column(name, pa.array(column, from_pandas=True))
    written(tmp_path, whole) if ending == "parquet" else csv.write_csv(whole, tmp_path / "t.csv")
    source = semigen.data.from_files(tmp_path, ["c", "a", "b"], weight="w", batch_rows=400)
    assert source.names == ("c0", "c1", "c2", "c3")
    model = semigen.MixtureClassifier(covariance="full", unlabeled_weight=1.0, tol=0.1)
    found = clone(model).fit(source)
    wanted = clone(model).fit(
        features, pd.DataFrame(y[:, [2, 0, 1]], columns=["c", "a", "b"]), rows["w"].to_numpy()
    )
    assert found.classes_.tolist() == ["c", "a", "b"]
    np.testing.assert_allclose(leaves(found.params_), leaves(wanted.params_), rtol=1e-8, atol=1e-8)


def test_labels_that_are_no_probabilities_are_placed(tmp_path):
    rows = table()
    y = soft(rows)
    y[1000] = 0.0, -1.0, 1.0
    for name, column in zip("abc", y.T, strict=True):
        rows = rows.append_column(name, pa.array(column, from_pandas=True))
    written(tmp_path, rows)
    with pytest.raises(LabelError, match=r"b\.parquet, row group 1: label matrix y is negative in 1 row"):
        learn_source(semigen.data.from_parquet(tmp_path, ["a", "b", "c"]))
    with pytest.raises(LabelError, match=r"a\.parquet, row group 0: the columns a, y are not all numbers"):
        learn_source(semigen.data.from_parquet(tmp_path, ["a", "y"]))
    with pytest.raises(TableError, match=r"target=\['y'\]: give one column of classes by its name"):
        semigen.data.from_parquet(tmp_path, ["y"])
    with pytest.raises(TableError, match="no column 'd'"):
        semigen.data.from_parquet(tmp_path, ["a", "d"])


@pytest.mark.parametrize("kind", ["list", "large_list", "fixed"])
@pytest.mark.parametrize("gaps", [False, True])
def test_lists_of_numbers_are_columns_of_a_source(tmp_path, kind, gaps):
    rows = table()
    numbers = np.column_stack([rows[f"c{j}"] for j in range(1, 4)])
    if gaps:
        numbers[3] = np.nan
        numbers[700:, 1] = np.nan
    absent = np.isnan(numbers).all(axis=1) & (kind != "fixed")  # which pyarrow 21 cannot write
    cells = [None if none else row.tolist() for none, row in zip(absent, numbers, strict=True)]
    kinds = {
        "list": pa.list_(pa.float64()),
        "large_list": pa.large_list(pa.float64()),
        "fixed": pa.list_(pa.float64(), 3),
    }
    lists = rows.select(["c0", "y"]).add_column(1, "e", pa.array(cells, kinds[kind]))
    wide = rows.select(["c0"])
    for j in range(3):
        wide = wide.append_column(f"e[{j}]", pa.array(numbers[:, j]))
    wide = wide.append_column("y", rows["y"])
    found, wanted = (
        semigen.MixtureClassifier(covariance="diag").fit(
            semigen.data.from_files(written(new_folder(tmp_path / name), one), target="y")
        )
        for name, one in (("lists", lists), ("wide", wide))
    )
    assert found.feature_names_in_.tolist() == wanted.feature_names_in_.tolist()
    np.testing.assert_array_equal(found.means_, wanted.means_)
    alike = found.predict_proba(lists.select(["c0", "e"]))
    np.testing.assert_allclose(alike, wanted.predict_proba(wide.drop_columns(["y"])), rtol=1e-12)
    without = semigen.data.from_files(tmp_path / "lists", target="y", drop=["e"])
    assert without.names == ("c0",)


def new_folder(path):
    path.mkdir()
    return path


def test_lists_of_another_length_are_placed(tmp_path):
    rows = table()
    cells = [[1.0 * j, 2.0 * (j % 7)][: 1 + (j < 1200)] for j in range(N_ROWS)]
    folder = written(tmp_path, rows.append_column("e", pa.array(cells)))
    source = semigen.data.from_files(folder, target="y")
    with pytest.raises(
        TableError, match=r"b.parquet, row group 2: the lists of column 'e' are not of 2 numbers"
    ):
        semigen.MixtureClassifier(max_iter=2).fit(source)


def test_lists_of_which_the_first_are_empty_are_read_where_they_are(tmp_path):
    rows = table()
    numbers = np.column_stack([rows["c1"], rows["c2"]])
    cells = [None if j < 200 else row.tolist() for j, row in enumerate(numbers)]
    folder = written(tmp_path, rows.select(["c0", "y"]).append_column("e", pa.array(cells)))
    model = semigen.MixtureClassifier(covariance="diag").fit(semigen.data.from_files(folder, target="y"))
    frame = pa.table({"c0": rows["c0"], "e": pa.array(cells)})
    assert model.means_.shape == (3, 3)
    assert np.isfinite(model.predict_proba(frame)).all()


def test_files_and_sources_are_told_where_a_table_is_wanted(tmp_path):
    source = semigen.data.from_files(written(tmp_path, table()), target="y")
    model = semigen.MixtureClassifier(unlabeled=None).fit(source)
    batchwise = r"MixtureClassifier.fit and AutoClassifier.fit"
    for predict in (model.predict, semigen.AutoClassifier().fit, semigen.MixtureClassifier().partial_fit):
        for path in (str(tmp_path), tmp_path):
            with pytest.raises(ColumnError, match=rf"no table but .* {batchwise} also take .*from_files"):
                predict(path)
        with pytest.raises(ColumnError, match=rf"pass X.to_table\(\); {batchwise}"):
            predict(dataset.dataset(tmp_path))
    for predict in (model.predict_proba, model.score_samples, semigen.HybridClassifier().fit):
        with pytest.raises(ColumnError, match=rf"X is FileSource.* only {batchwise} .*for table in X.tables"):
            predict(source, *([[0]] if predict.__name__ == "fit" else []))
