"""Saved models: what comes back, what is refused, and that an interrupted save leaves nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import sys
import types
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import semigen
from semigen.exceptions import ModelFileError
from semigen.io import models as persistence
from semigen.io.migrations import FORMAT
from semigen.io.models import load, read_notes, save


@dataclass(frozen=True)
class Record:
    means: np.ndarray
    parts: tuple


class Dummy(ClassifierMixin, BaseEstimator):
    def __init__(self, weights=None):
        self.weights = weights

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.record_ = Record(np.asfortranarray(X[: self.classes_.size]), (Record(X[0], ()), 1.5, None))
        return self


def a_function(text):
    raise SystemExit(text)


@pytest.fixture(autouse=True)
def dummy_module(monkeypatch):
    """A module of semigen with an estimator, a frozen record and a function."""
    module = types.ModuleType("semigen.dummy")
    for thing in (Record, Dummy, a_function):
        monkeypatch.setattr(thing, "__module__", "semigen.dummy")
        setattr(module, thing.__name__, thing)
    module.system = os.system
    module.OtherEstimator = StandardScaler
    monkeypatch.setitem(sys.modules, "semigen.dummy", module)
    return module


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)) + np.repeat([[0.0], [3.0]], 30, axis=0)
    y = np.repeat(["a", "b"], 30).astype(object)
    y[5:25] = None
    y[35:55] = None
    return pd.DataFrame(X, columns=["u", "v", "w"]), y


def replace_payload(path: Path, payload: bytes, **changes) -> None:
    """Rewrite a model file around another payload, with a checksum that fits."""
    with zipfile.ZipFile(path) as archive:
        header = json.loads(archive.read("semigen.json"))
    header["sha256"] = hashlib.sha256(payload).hexdigest()
    header.update(changes)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("semigen.json", json.dumps(header))
        archive.writestr("model.skops", payload)


def skops_file(root: dict) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps([1]))) as archive:
        schema = json.loads(archive.read("schema.json"))
    root = {**root, "protocol": schema["protocol"], "_skops_version": schema["_skops_version"]}
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", json.dumps(root))
    return buffer.getvalue()


def node(loader, module, name, **rest) -> dict:
    return {"__loader__": loader, "__module__": module, "__class__": name, **rest}


def json_node(value) -> dict:
    return node("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True)


def list_node(*items) -> dict:
    return node("ListNode", "builtins", "list", content=list(items))


def tuple_node(*items) -> dict:
    return node("TupleNode", "builtins", "tuple", content=list(items))


def dict_node(key_types: dict, **items) -> dict:
    return node("DictNode", "builtins", "dict", content=items, key_types=key_types)


# --- round trips


def test_frozen_records_and_arrays_come_back(tmp_path):
    X = np.random.default_rng(0).normal(size=(6, 4))
    model = Dummy(weights={"a": 2, "b": 0.1}).fit(X, ["a", "b", "a", "b", "a", "b"])
    save(model, tmp_path / "m.semigen")
    back = load(tmp_path / "m.semigen")
    assert type(back) is Dummy
    assert back.get_params() == model.get_params()
    assert type(back.record_) is Record
    assert back.record_.means.tobytes("F") == model.record_.means.tobytes("F")
    assert back.record_.means.flags.f_contiguous
    assert back.record_.parts[1:] == (1.5, None)
    np.testing.assert_array_equal(back.record_.parts[0].means, X[0])
    assert back.classes_.tolist() == ["a", "b"]
    with pytest.raises(AttributeError):
        back.record_.means = 0


def test_scikit_learn_pipelines_come_back(tmp_path, table):
    X, _ = table
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, np.repeat([1, 2], 30))
    save(model, tmp_path / "m")
    np.testing.assert_array_equal(load(tmp_path / "m").predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("pipeline", [False, True])
@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical", "low_rank"])
def test_mixture_classifiers_predict_bit_for_bit_the_same(tmp_path, table, covariance, pipeline):
    X, y = table
    model = semigen.MixtureClassifier(
        covariance=covariance, components_per_class={"a": 2, "b": 1}, random_state=0
    )
    if pipeline:
        model = make_pipeline(StandardScaler().set_output(transform="pandas"), model)
    model.fit(X, y)
    path = tmp_path / "model.semigen"
    save(model, path)
    back = load(path)
    assert back.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert back.score_samples(X).tobytes() == model.score_samples(X).tobytes()
    assert back.predict(X).tolist() == model.predict(X).tolist()
    assert repr(back) == repr(model)
    with zipfile.ZipFile(path) as archive:
        header = json.loads(archive.read("semigen.json"))
    assert [feature["name"] for feature in header["features"]] == ["u", "v", "w"]
    assert pipeline or [feature["kind"] for feature in header["features"]] == ["number"] * 3
    assert header["classes"] == ["a", "b"]
    assert header["semigen"] == semigen.__version__
    assert set(header["dependencies"]) >= {"numpy", "scikit-learn", "narwhals"}


def test_estimators_that_are_not_fitted_can_be_saved(tmp_path):
    save(semigen.MixtureClassifier(covariance="diag"), tmp_path / "m")
    assert load(tmp_path / "m").covariance == "diag"


def test_semigen_offers_save_and_load(tmp_path):
    semigen.save(Dummy(), str(tmp_path / "m"))
    assert isinstance(semigen.load(str(tmp_path / "m")), Dummy)


def test_notes_are_read_without_the_model(tmp_path):
    path = tmp_path / "m"
    save(Dummy(), path, notes={"target": "späť", "columns": ["a"], "n": 3})
    replace_payload(path, b"no model at all")
    assert read_notes(path) == {"target": "späť", "columns": ["a"], "n": 3}
    save(Dummy(), path, overwrite=True)
    assert read_notes(path) == {}


# --- saving


def test_nothing_is_overwritten_unasked(tmp_path):
    path = tmp_path / "m"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="not overwritten"):
        save(Dummy(), path)
    assert path.read_text() == "mine"
    save(Dummy(), path, overwrite=True)
    assert isinstance(load(path), Dummy)
    with pytest.raises(FileExistsError, match="folder"):
        save(Dummy(), tmp_path, overwrite=True)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save(Dummy(), tmp_path / "nowhere" / "m")


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError, OSError])
def test_an_interrupted_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, interruption):
    path = tmp_path / "m"
    save(Dummy(weights=1), path)
    before = path.read_bytes()
    write = zipfile.ZipFile.writestr

    def interrupted(archive, name, data, *args, **kwargs):
        if name == "model.skops":
            raise interruption
        return write(archive, name, data, *args, **kwargs)

    monkeypatch.setattr(zipfile.ZipFile, "writestr", interrupted)
    with pytest.raises(interruption):
        save(Dummy(weights=2), path, overwrite=True)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m"]


def test_a_link_stays_and_leads_to_the_new_file(tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    save(Dummy(weights=1), there / "m")
    (tmp_path / "link").symlink_to(there / "m")
    save(Dummy(weights=2), tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert load(there / "m").weights == 2
    assert os.listdir(there) == ["m"]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    path = tmp_path / "m"

    def write():
        with persistence.written_at_once(path, overwrite=False) as unfinished:
            unfinished.write_text("new")
            path.write_text("theirs")

    with pytest.raises(FileExistsError):
        write()
    assert path.read_text() == "theirs"
    assert os.listdir(tmp_path) == ["m"]


def test_the_file_has_the_usual_permissions(tmp_path):
    save(Dummy(), tmp_path / "m")
    (tmp_path / "plain").write_text("")
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.mark.parametrize(
    ("model", "culprit"),
    [
        (FunctionTransformer(func=lambda x: x), "lambda"),
        (FunctionTransformer(func=os.path.join), "join"),
        (Dummy(weights=os.system), "system"),
        (Dummy(weights=object()), "object"),
        (RandomForestClassifier(2).fit([[0.0], [1.0]], [0, 1]), r"sklearn\.tree\._tree\.Tree"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, model, culprit):
    with pytest.raises(ModelFileError, match=culprit):
        save(model, tmp_path / "m")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "per_class",
    [{"a": 2}, {1: 2, 0: 1}, {1.5: 2}, {True: 2, False: 1}, {Decimal("1.50"): 2}, {"__loader__": 2}, {}],
)
def test_dicts_keep_their_keys(tmp_path, per_class):
    save(semigen.MixtureClassifier(components_per_class=per_class), tmp_path / "m")
    found = load(tmp_path / "m").components_per_class
    assert repr(found) == repr(per_class)


@pytest.mark.parametrize(
    "texts",
    [
        [f"g{j}" for j in range(20)],
        ["", "späť", "\U0001f33b", "\ud800", *"abcd"],
        ["x" * 64, *"abcdefg"],
        ["x" * 65, *"abcdefg"],
        ["ends in nothing\0", *"abcdefg"],
        ["__loader__"] * 8,
    ],
)
def test_many_texts_come_back_in_what_held_them(tmp_path, texts):
    held = {"list": texts, "tuple": tuple(texts), "array": np.array(texts, dtype=object), "set": set(texts)}
    save(Dummy(weights=held), tmp_path / "m")
    found = load(tmp_path / "m").weights
    for name, one in held.items():
        assert type(found[name]) is type(one)
        assert sorted(found[name]) == sorted(one)
        assert name == "set" or list(found[name]) == list(one)
    assert found["array"].dtype == object


def test_an_object_that_is_used_again_is_not_written_again(tmp_path):
    names, array = tuple(f"column {j}" for j in range(5000)), np.random.default_rng(0).random(50_000)
    save(Dummy(weights=[names, array]), tmp_path / "once")
    save(Dummy(weights=[[names, array]] * 4), tmp_path / "m")
    assert (tmp_path / "m").stat().st_size < 1.1 * (tmp_path / "once").stat().st_size
    assert all(one[0] == names for one in load(tmp_path / "m").weights)


BERLIN = ZoneInfo("Europe/Berlin")
VALUES = [
    Decimal("1.50"),
    Decimal("-0"),
    Decimal("1E+400"),
    date(2024, 2, 29),
    datetime(2024, 2, 29, 13, 7, 5, 123456),
    datetime(2024, 2, 29, 13, 7, tzinfo=UTC),
    datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1),
    time(23, 59, 1),
    timedelta(days=-3, microseconds=5),
    pd.Timestamp("2024-02-29 13:07:05.123456789"),
    pd.Timestamp("2024-02-29").as_unit("s"),
    pd.Timestamp("2024-10-27 01:30", tz="UTC").tz_convert("Europe/Berlin"),
    pd.Timedelta("-3 days 5 ns"),
    np.datetime64("2024-02-29T13", "h"),
    np.float32(1.5),
    b"\x00bytes",
    1.5,
    True,
    None,
    "text",
    OrderedDict(a=1),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_keep_their_type(tmp_path, value):
    save(Dummy(weights=[value]), tmp_path / "m")
    found = load(tmp_path / "m").weights[0]
    assert type(found) is type(value)
    assert repr(found) == repr(value)
    assert found == value
    assert getattr(found, "fold", 0) == getattr(value, "fold", 0)


CLASSES = {
    "decimal fractions": [Decimal("1.50"), Decimal("2.5")],
    "dates": [date(2024, 1, 1), date(2024, 7, 1)],
    "moments": [datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)],
    "timestamps": [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-07-01 12:00")],
    "bytes": [b"a", b"b"],
}


@pytest.mark.parametrize("name", sorted(CLASSES))
@pytest.mark.parametrize("kind", ["mixture", "pool"])
def test_classes_of_every_type_come_back(tmp_path, table, kind, name):
    X, y = table
    first, second = CLASSES[name]
    y = np.array([{"a": first, "b": second}.get(label) for label in y], dtype=object)
    model = semigen.MixtureClassifier()
    if kind == "pool":
        model = semigen.PoolClassifier([("mixture", model), ("logistic", LogisticRegression())])
    model.fit(X, y)
    save(model, tmp_path / "m")
    back = load(tmp_path / "m")
    assert [(type(one), one) for one in back.classes_.tolist()] == [
        (type(one), one) for one in model.classes_.tolist()
    ]
    np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))
    assert back.predict(X).tolist() == model.predict(X).tolist()


def test_only_estimators_and_json_notes(tmp_path):
    with pytest.raises(ModelFileError, match="only estimators"):
        save([1, 2], tmp_path / "m")
    for notes in ({"x": object()}, {"x": float("nan")}):
        with pytest.raises(ModelFileError, match="notes"):
            save(Dummy(), tmp_path / "m", notes=notes)
    assert os.listdir(tmp_path) == []


# --- damaged files


def test_missing_files(tmp_path):
    for call in (load, read_notes):
        with pytest.raises(FileNotFoundError):
            call(tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"PK\x03\x04 and no more", b"a,b\n1,2\n"])
def test_files_that_are_no_zip(tmp_path, content):
    (tmp_path / "m").write_bytes(content)
    for call in (load, read_notes):
        with pytest.raises(ModelFileError, match="not a semigen model"):
            call(tmp_path / "m")


def test_truncated_files_at_every_length(tmp_path):
    path = tmp_path / "m"
    save(Dummy(weights=[1.0, 2.0]), path)
    content = path.read_bytes()
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            load(path)


def test_flipped_bits_never_load_another_model(tmp_path):
    path = tmp_path / "m"
    save(Dummy(weights=[1.0, 2.0]), path)
    content = path.read_bytes()
    for position in range(0, len(content), 41):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        try:
            back = load(path)
        except ModelFileError:
            continue
        assert back.weights == [1.0, 2.0]  # such as a changed time stamp in the zip


@pytest.mark.parametrize(
    "header", [b"", b"[]", b"{}", b'{"format": "1"}', b'{"format": true}', b"[" * 100_000, b"\xff"]
)
def test_unreadable_headers(tmp_path, header):
    with zipfile.ZipFile(tmp_path / "m", "w") as archive:
        archive.writestr("semigen.json", header)
    for call in (load, read_notes):
        with pytest.raises(ModelFileError, match="not a semigen model"):
            call(tmp_path / "m")


def test_other_zips(tmp_path):
    skops.io.dump(Dummy(), tmp_path / "m")
    with pytest.raises(ModelFileError, match=r"semigen\.json"):
        load(tmp_path / "m")


def test_wrong_checksums_and_newer_formats(tmp_path):
    path = tmp_path / "m"
    save(Dummy(), path)
    replace_payload(path, skops.io.dumps(Dummy(weights=5)), sha256="0" * 64)
    with pytest.raises(ModelFileError, match="checksum"):
        load(path)
    replace_payload(path, b"from the future", format=FORMAT + 1, semigen="9.0")
    for call in (load, read_notes):
        with pytest.raises(ModelFileError, match=rf"format {FORMAT + 1}, written by semigen 9\.0.*upgrade"):
            call(path)


def test_a_payload_that_cannot_be_rebuilt_names_the_versions_it_was_saved_with(tmp_path):
    path = tmp_path / "m"
    save(Dummy(), path)
    replace_payload(path, b"no zip")
    with pytest.raises(ModelFileError, match="damaged"):
        load(path)
    replace_payload(path, b"no zip", dependencies={"numpy": "9.9"})
    with pytest.raises(ModelFileError, match=r"saved with numpy 9\.9 \(here"):
        load(path)


def test_the_header_must_name_what_the_payload_holds(tmp_path):
    path = tmp_path / "m"
    save(Dummy(), path)
    for payload in (skops.io.dumps(StandardScaler()), skops.io.dumps([1, 2])):
        replace_payload(path, payload)
        with pytest.raises(ModelFileError, match="says that it holds"):
            load(path)
    replace_payload(path, skops.io.dumps([1, 2]), estimator="builtins.list")
    with pytest.raises(ModelFileError, match=r"holds 'builtins\.list'"):
        load(path)


# --- hostile files

FLAG = "semigen_hostile_file_ran"
COMMAND = tuple_node(json_node(f"import os; os.environ['{FLAG}'] = '1'"))
STR = node("TypeNode", "builtins", "str")


def attribute(value: dict) -> dict:
    """A dummy estimator whose parameter is the hostile node."""
    return node("ObjectNode", "semigen.dummy", "Dummy", content=dict_node(list_node(STR), weights=value))


HOSTILE = {
    "os.system as a constructor": node("ConstructorFromReduceNode", "os", "system", content=COMMAND),
    "eval as a constructor": node("ConstructorFromReduceNode", "builtins", "eval", content=COMMAND),
    "exec as a constructor": node("ConstructorFromReduceNode", "builtins", "exec", content=COMMAND),
    "eval as a type": node("TypeNode", "builtins", "eval"),
    "os.system as a function": node("FunctionNode", "os", "system"),
    "exec as the type of keys": dict_node(list_node(node("TypeNode", "builtins", "exec")), pass_="x"),
    "exec as a list": node("ListNode", "builtins", "exec", content=[json_node("x")]),
    "exec as a set": node("SetNode", "builtins", "exec", content=[json_node("x")]),
    "partial": node(
        "PartialNode",
        "functools",
        "partial",
        content={
            "func": node("TypeNode", "builtins", "exec"),
            "args": COMMAND,
            "kwds": dict_node(list_node()),
            "namespace": json_node(None),
        },
    ),
    "partial of own class": node(
        "PartialNode",
        "semigen.dummy",
        "Dummy",
        content={
            "func": node("FunctionNode", "builtins", "exec"),
            "args": COMMAND,
            "kwds": dict_node(list_node()),
            "namespace": json_node(None),
        },
    ),
    "methodcaller": node("OperatorFuncNode", "operator", "methodcaller", attrs=COMMAND),
    "method of an estimator": node(
        "MethodNode",
        "semigen.dummy",
        "Dummy",
        content={"obj": node("ObjectNode", "semigen.dummy", "Dummy"), "func": "fit"},
    ),
    "method named like a type": node(
        "MethodNode",
        "semigen",
        "dummy",
        content={"obj": node("ObjectNode", "semigen", "dummy"), "func": "Dummy"},
    ),
    "function of semigen": node("FunctionNode", "semigen.dummy", "a_function"),
    "function of semigen as a constructor": node(
        "ConstructorFromReduceNode", "semigen.dummy", "a_function", content=COMMAND
    ),
    "semigen.save": node("FunctionNode", "semigen.io.models", "save"),
    "semigen.save by its public name": node("FunctionNode", "semigen", "save"),
    "function that semigen imported": node(
        "ConstructorFromReduceNode", "semigen.dummy", "system", content=COMMAND
    ),
    "class that semigen imported": node("ObjectNode", "semigen.dummy", "OtherEstimator"),
    "module that semigen imported": node("TypeNode", "semigen.io.models", "os"),
    "exception of semigen": node(
        "ConstructorFromReduceNode", "semigen.exceptions", "SemigenError", content=COMMAND
    ),
    "module of semigen that is not there": node("ObjectNode", "semigen.not_there", "Thing"),
    "command line": node("TypeNode", "semigen.cli", "main"),
    "module that looks like semigen": node("ObjectNode", "semigenx.evil", "Thing"),
    "older node": node("FunctionNode", "os", "system", content={"module_path": "os", "function": "system"}),
    "no names": node("ObjectNode", "", ""),
    "seed of numpy": node(
        "RandomGeneratorNode",
        "numpy.random._generator",
        "Generator",
        content={
            "bit_generator": dict_node(list_node(STR), bit_generator=json_node("seed")),
            "seed_seq": json_node({}),
        },
    ),
}


@pytest.mark.parametrize("place", ["attribute", "root", "list"])
@pytest.mark.parametrize("what", sorted(HOSTILE))
def test_hostile_files_are_refused_and_nothing_runs(tmp_path, monkeypatch, what, place):
    monkeypatch.delenv(FLAG, raising=False)
    called = []
    monkeypatch.setattr(os, "system", lambda command: called.append(command))
    hostile = {
        "attribute": attribute(HOSTILE[what]),
        "root": HOSTILE[what],
        "list": attribute(list_node(json_node(1), HOSTILE[what])),
    }[place]
    path = tmp_path / "m"
    save(Dummy(), path)
    replace_payload(path, skops_file(hostile))
    with pytest.raises(ModelFileError):
        load(path)
    assert FLAG not in os.environ
    assert called == []


def test_the_hostile_frame_itself_is_fine(tmp_path):
    path = tmp_path / "m"
    save(Dummy(), path)
    replace_payload(path, skops_file(attribute(json_node(7))))
    assert load(path).weights == 7


def test_older_protocols_are_no_way_around(tmp_path):
    path = tmp_path / "m"
    save(Dummy(), path)
    for protocol in (0, 1, -1, True, "0", 10**6):
        root = attribute(HOSTILE["older node"])
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("schema.json", json.dumps({**root, "protocol": protocol, "_skops_version": "0"}))
        replace_payload(path, buffer.getvalue())
        with pytest.raises(ModelFileError):
            load(path)


def test_pickled_arrays_are_refused(tmp_path):
    path = tmp_path / "m"
    save(Dummy(weights=np.arange(3.0)), path)
    array = io.BytesIO()
    np.save(array, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(skops.io.dumps(Dummy(weights=np.arange(3.0))))) as old,
        zipfile.ZipFile(buffer, "w") as new,
    ):
        for name in old.namelist():
            new.writestr(name, array.getvalue() if name.endswith(".npy") else old.read(name))
    replace_payload(path, buffer.getvalue())
    with pytest.raises(ModelFileError, match="arrays of object are not read"):
        load(path)


def test_deeply_nested_files_are_refused(tmp_path):
    path = tmp_path / "m"
    save(Dummy(), path)
    depth = 900
    text = json.dumps(attribute(json_node(0)))
    inner = json.dumps(json_node(0))
    nest = '{"__loader__": "ListNode", "__module__": "builtins", "__class__": "list", "content": [' * depth
    text = text.replace(inner, nest + inner + "]}" * depth)
    text = text[:-1] + ', "protocol": 2, "_skops_version": "0"}'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", text)
    replace_payload(path, buffer.getvalue())
    with pytest.raises(ModelFileError):
        load(path)


def test_class_shares_in_a_series_are_saved_as_what_they_say_of_each_class(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(60, 2)), np.repeat(["b", "a", "c"], 20)
    shares = pd.Series({"c": 0.2, "a": 0.5, "b": 0.3})
    model = semigen.MixtureClassifier(class_prior=shares).fit(X, y)
    save(model, tmp_path / "model.semigen")
    again = load(tmp_path / "model.semigen")
    assert again.class_prior == shares.to_dict()
    in_order = semigen.MixtureClassifier(class_prior=shares[["a", "b", "c"]].reset_index(drop=True))
    save(in_order.fit(X, y), tmp_path / "in_order.semigen")
    cloned = clone(load(tmp_path / "in_order.semigen")).fit(X, y)
    np.testing.assert_array_equal(cloned.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(clone(again).fit(X, y).predict_proba(X), model.predict_proba(X))
