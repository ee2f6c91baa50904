"""Model files from strangers: bombs, crashes, hangs and damages end in one clear error."""

from __future__ import annotations

import io
import json
import struct
import sys
import warnings
import zipfile

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import semigen
from command_line import error_of, fit, here, make_table, run
from hostile.model_files import (
    after,
    changed,
    entries_of,
    item_of,
    nodes,
    npy,
    saved_by_skops,
    with_array,
    write,
)
from semigen.estimators.classifiers import TreeEnsemble
from semigen.exceptions import ModelFileError
from semigen.io.archives import SMALL
from semigen.io.models import load, read_notes, save

__all__ = ["here"]  # fixtures

LOAD, NOTES = "semigen.io.models.load(path)", "semigen.io.models.read_notes(path)"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The file of a default model, with a graph."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 40)
    table = rng.normal(size=(80, 3)) + y[:, None]
    given = np.where(np.arange(80) % 3 == 0, y, -1)
    model = semigen.AutoClassifier(n_mixtures=2, unlabeled=-1)
    path = tmp_path_factory.mktemp("made") / "m.semigen"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save(model.fit(table, given), path)
    return path


@pytest.fixture(scope="module")
def forest(tmp_path_factory):
    path = tmp_path_factory.mktemp("forest") / "m.semigen"
    save(TreeEnsemble(5).fit(*rows()), path)
    return path


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """The file of a mixture with tables of levels and counts."""
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.integers(3, size=80), rng.poisson(3, 80)]).astype(float)
    model = semigen.MixtureClassifier({0: "categorical", 1: "negative_binomial"})
    path = tmp_path_factory.mktemp("mixed") / "m.semigen"
    save(model.fit(table, [0, 1] * 40), path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "m.semigen"
    save(semigen.MixtureClassifier().fit(np.arange(20.0)[:, None] + [[0, 1]], [0, 1] * 10), path)
    return path


def header_of(path):
    return json.loads(entries_of(path)["semigen.json"])


# --- bombs

ZEROS, FEW = bytes(2**26 + 2**20), bytes(2**16)


def bomb_outside(path, small, name, compression):
    outer = entries_of(small)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for one, content in outer.items():
            archive.writestr(
                one, (ZEROS if compression == zipfile.ZIP_DEFLATED else FEW) if one == name else content
            )


def bomb_inside(path, small, compression):
    payload = io.BytesIO(entries_of(small)["model.skops"])
    with zipfile.ZipFile(payload, "a", compression) as archive:
        archive.writestr("zeros.npy", ZEROS if compression == zipfile.ZIP_DEFLATED else FEW)
    write(path, header_of(small), payload.getvalue())


def lies_about_size(path, small):
    """States one byte, unpacks to 65 MiB."""
    bomb_outside(path, small, "semigen.json", zipfile.ZIP_DEFLATED)
    content = path.read_bytes()
    first, last = 22, content.rindex(b"PK\x01\x02", 0, content.rindex(b"PK\x01\x02")) + 24
    for place in (first, last):  # of the size in the entry's header, and in the list of entries
        assert content[place : place + 4] == struct.pack("<L", len(ZEROS))
        content = content[:place] + struct.pack("<L", 1) + content[place + 4 :]
    path.write_bytes(content)


def overlaps(path, small):
    """Many entries of the inner archive are the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", entries_of(small)["model.skops"][:0] + b"{}")
        archive.writestr("0.npy", npy(np.zeros(2**20)))
        info = archive.getinfo("0.npy")
        for j in range(1, 60):
            other = zipfile.ZipInfo(f"{j}.npy")
            for slot in ("header_offset", "CRC", "compress_size", "file_size"):
                setattr(other, slot, getattr(info, slot))
            archive.filelist.append(other)
    write(path, header_of(small), buffer.getvalue())


def claims_shape(path, small):
    """An array of 128 bytes that says that it has 10¹² numbers."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})

    def change(inner):
        name = next(name for name in inner if name.endswith(".npy"))
        inner[name] = head.getvalue() + b"12345678"

    changed(path, small, change)


def empty_items(path, small):
    """10¹² texts of no letter take no byte in the file."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<U0", "fortran_order": False, "shape": (10**12,)})

    def change(inner):
        name = next(name for name in inner if name.endswith(".npy"))
        inner[name] = head.getvalue()

    changed(path, small, change)


def same_file(path, small):
    """A thousand arrays that name one file of 4 MB."""

    def change(inner):
        inner["0.npy"] = npy(np.zeros(2**19))

    def tree(root):
        array = {
            "__class__": "ndarray",
            "__module__": "numpy",
            "__loader__": "NdArrayNode",
            "type": "numpy",
            "file": "0.npy",
        }
        root["content"]["content"]["n_iter_"] = {
            "__class__": "list",
            "__module__": "builtins",
            "__loader__": "ListNode",
            "content": [{**array, "__id__": -j} for j in range(1, 1001)],
        }

    changed(path, small, change, tree)


def many_lists(path, small):
    """Empty lists in the notes, which take 20 times their bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("semigen.json", b'{"format": 2, "notes": [' + b"[]," * (SMALL // 16) + b"[]]}")
        archive.writestr("model.skops", b"")


PADDING = "x" * 2**24


def attribute_of(path, small, text):
    """A model with an attribute that is so written in the tree."""

    def tree(root):
        root["content"]["content"]["n_iter_"] = "here"

    def change(inner):
        inner["schema.json"] = inner["schema.json"].replace(b'"here"', text.encode())

    changed(path, small, change, tree)


def wide_text(path, small):
    """With one rare letter, each of the others takes four bytes."""
    attribute_of(path, small, json.dumps(json_text("\U0001f33b")).replace("\\ud83c", PADDING + "\\ud83c"))


def wide_key(path, small):
    """The same, of a key, which is there before anything is built."""
    attribute_of(path, small, json.dumps({"\U0001f33b": 1}).replace("\\ud83c", PADDING + "\\ud83c"))


def wide_notes(path, small):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("semigen.json", f'{{"format": 2, "notes": ["{PADDING}\U0001f33b"]}}')
        archive.writestr("model.skops", b"")


def padded_lists(path, small):
    """Empty lists in the tree beside a long text."""
    attribute_of(path, small, f'{{"a": [{"[]," * 2**20}[]], "b": "{PADDING}"}}')


def many_sets(path, small):
    """Empty sets, which take 216 bytes each."""
    one = '{"__class__":"set","__module__":"builtins","__loader__":"SetNode","content":[]}'
    content = ",".join([one] * 2**17)
    list_ = f'{{"__class__":"list","__module__":"builtins","__loader__":"ListNode","content":[{content}]}}'
    attribute_of(path, small, list_)


def many_dicts(path, small):
    """Small dicts that are no nodes."""
    attribute_of(path, small, f'{{"a":[{",".join(["{}"] * 2**22)}]}}')


def short_texts(path, small):
    """An array of texts of one letter, which take 58 bytes each in a list."""
    node = {"__class__": "list", "__module__": "builtins", "__loader__": "TextsNode", "file": "texts.npy"}

    def tree(root):
        root["content"]["content"]["n_iter_"] = node

    changed(path, small, lambda inner: inner.update({"texts.npy": npy(np.array(["a"] * 2**21))}), tree)


def many_entries(path, small):
    """A list of entries that is all that there is."""
    with zipfile.ZipFile(path, "w") as archive:
        for j in range(70_000):
            archive.writestr(str(j), b"")


BOMBS = {
    "header, deflated": lambda path, small: bomb_outside(path, small, "semigen.json", zipfile.ZIP_DEFLATED),
    "header, bzip2": lambda path, small: bomb_outside(path, small, "semigen.json", zipfile.ZIP_BZIP2),
    "header, LZMA": lambda path, small: bomb_outside(path, small, "semigen.json", zipfile.ZIP_LZMA),
    "payload, deflated": lambda path, small: bomb_outside(path, small, "model.skops", zipfile.ZIP_DEFLATED),
    "inside, deflated": lambda path, small: bomb_inside(path, small, zipfile.ZIP_DEFLATED),
    "inside, LZMA": lambda path, small: bomb_inside(path, small, zipfile.ZIP_LZMA),
    "lies about its size": lies_about_size,
    "overlaps": overlaps,
    "claims a shape": claims_shape,
    "empty items": empty_items,
    "one file many times": same_file,
    "many lists": many_lists,
    "many entries": many_entries,
    "wide text": wide_text,
    "wide key": wide_key,
    "wide notes": wide_notes,
    "padded lists": padded_lists,
    "many sets": many_sets,
    "many dicts": many_dicts,
    "short texts": short_texts,
}


@pytest.fixture(scope="module")
def exploded(tmp_path_factory, small):
    """What was said of each bomb, and MiB that all took at most."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, make in BOMBS.items():
        make(folder / name, small)
    code, said, mib = after(small, [folder / name for name in BOMBS], NOTES, LOAD)
    assert code == 0, said
    return said, mib


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_bombs_are_refused(exploded, name):
    said = [line for line in exploded[0] if f"{name} " in line or f"{name}:" in line]
    assert said[-1].startswith("refused:"), said


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is told by Linux")
def test_bombs_take_no_memory(exploded):
    assert exploded[1] < 60


@pytest.mark.long
def test_a_model_that_looks_like_a_bomb_can_be_saved_and_loaded(tmp_path, small):
    model = load(small)
    model.zeros_ = np.zeros(2**24)  # 128 MiB, of which a deflated file has 128 KiB
    save(model, tmp_path / "m")
    assert (load(tmp_path / "m").zeros_ == 0).all()


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is told by Linux")
@pytest.mark.long
@pytest.mark.parametrize("kind", ["arrays", "words"])
def test_a_large_file_takes_three_times_what_it_states(tmp_path, small, kind):
    model = load(small)
    if kind == "arrays":
        model.one_ = np.random.default_rng(0).random(2**22)
    else:
        model.one_ = {f"word {j}": j for j in range(30_000)}
    save(model, tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m") as archive:
        stated = sum(info.file_size for info in archive.infolist()) / 2**20
    code, said, mib = after(small, [tmp_path / "m"], LOAD)
    assert (code, said) == (0, [])
    assert mib < 3 * stated + 5, (mib, stated)


# --- types and their states


def rows(n=40):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3)) + np.repeat([[0.0], [2.0]], n // 2, axis=0), np.repeat([0, 1], n // 2)


STRANGERS = {
    "SVC": lambda: SVC().fit(*rows()),
    "tree": lambda: DecisionTreeClassifier().fit(*rows()),
    "naive Bayes": lambda: GaussianNB().fit(*rows()),
    "stochastic gradient": lambda: SGDClassifier().fit(*rows()),
    "in a pipeline": lambda: make_pipeline(StandardScaler(), SVC()).fit(*rows()),
    "function": lambda: make_pipeline(FunctionTransformer(np.tanh), GaussianNB()).fit(*rows()),
}


@pytest.mark.parametrize("name", sorted(STRANGERS))
def test_scikit_learns_other_estimators_need_to_be_trusted(tmp_path, name):
    model = STRANGERS[name]()
    path = saved_by_skops(tmp_path / "m", model)
    with pytest.raises(ModelFileError, match=r"crash the process.*semigen\.load\(.*trusted=\[") as found:
        load(path)
    named = str(found.value).split("trusted=")[1].strip("().")
    trusted = json.loads(named.replace("'", '"'))
    assert load(path, trusted=trusted).predict(rows()[0]).tolist() == model.predict(rows()[0]).tolist()


def test_types_can_be_trusted_as_types(tmp_path):
    path = tmp_path / "m"
    save(SVC().fit(*rows()), path)
    assert isinstance(load(path, trusted=[SVC]), SVC)
    with pytest.raises(ModelFileError):
        load(path, trusted=[GaussianNB])


def test_trust_in_a_name_is_no_trust_in_a_function(tmp_path, small):
    def tree(root):
        root["content"]["content"]["n_iter_"] = {
            "__class__": "system", "__module__": "os", "__loader__": "FunctionNode",
        }  # fmt: skip

    path = changed(tmp_path / "m", small, tree=tree)
    with pytest.raises(ModelFileError, match=r"os\.system"):
        load(path, trusted=["os.system"])


def wrong(array, position, value):
    array = array.copy()
    array.ravel()[position] = value
    return array


STATES = {
    "a tree in a circle": ("TreeEnsemble", "child_", lambda child: np.zeros_like(child)),
    "a tree that ends elsewhere": ("TreeEnsemble", "child_", lambda child: child + 10**9),
    "a tree without roots": ("TreeEnsemble", "root_", lambda root: root[:0]),
    "a tree from elsewhere": ("TreeEnsemble", "root_", lambda root: root - 10**6),
    "a tree with fewer probabilities": ("TreeEnsemble", "value_", lambda value: value[:5]),
    "neighbors far away": ("Neighbors", "row", lambda row: wrong(row, 0, 10**9)),
    "neighbors before the first": ("Neighbors", "row", lambda row: wrong(row, 3, -5)),
    "a graph with fewer features": ("NeighborGraph", "features_", lambda features: features[:-1]),
    "labels of fewer rows": ("GraphSpreading", "spread_", lambda spread: spread[:3]),
    "fewer levels than probabilities": ("Levels", "n_levels", lambda n: n - 1),
    "more levels than probabilities": ("Levels", "n_levels", lambda n: n + 10**6),
    "counts of no value": ("CountValues", "entry", lambda entry: wrong(entry, 0, 2**30)),
    "counts before the first": ("CountValues", "entry", lambda entry: wrong(entry, 0, -(2**30))),
}


@pytest.mark.parametrize("name", sorted(STATES))
def test_arrays_that_would_crash_or_hang_are_refused(tmp_path, made, mixed, forest, name):
    kind, attribute, function = STATES[name]
    of = {"Levels": mixed, "CountValues": mixed, "TreeEnsemble": forest}.get(kind, made)
    load(with_array(tmp_path / "same", of, kind, attribute, lambda array: array))
    path = with_array(tmp_path / "m", of, kind, attribute, function)
    with pytest.raises(ModelFileError, match=rf"cannot be rebuilt \(ValueError: .*({kind}|Graph|tree)"):
        load(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda node: item_of(node["vocabulary_"], "soil").update(content="1000000000"), "numbered from 0"),
        (lambda node: node.update(input=json_text("filename")), "reads files"),
        (lambda node: node.update(token_pattern=json_text("(a+)+$")), "token_pattern"),
    ],
)
def test_vectorizers_that_would_crash_hang_or_read_files_are_refused(tmp_path, change, words):
    texts = ["soil seed flower", "piston valve oil"] * 4
    model = make_pipeline(TfidfVectorizer(), semigen.MixtureClassifier(family="multinomial"))
    save(model.fit(texts, [0, 1] * 4), tmp_path / "m")
    tree = lambda root: change(nodes(root, "TfidfVectorizer")[0]["content"]["content"])  # noqa: E731
    with pytest.raises(ModelFileError, match=words):
        load(changed(tmp_path / "n", tmp_path / "m", tree=tree))
    assert load(tmp_path / "m").predict(texts).tolist() == [0, 1] * 4


def json_text(value):
    return {
        "__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(value),
    }  # fmt: skip


json_number = json_text


def test_a_random_state_out_of_range_is_refused(tmp_path):
    model = semigen.MixtureClassifier(random_state=np.random.RandomState(3))
    save(model, tmp_path / "m")
    assert load(tmp_path / "m").random_state.randint(100) == np.random.RandomState(3).randint(100)

    def tree(root):
        state = item_of(root["content"]["content"]["random_state"]["content"], "state")
        item_of(state, "pos")["content"] = "1000000"

    with pytest.raises(ModelFileError, match="random number generator"):
        load(changed(tmp_path / "n", tmp_path / "m", tree=tree))


CLAIMS = {
    "transforms": ("FlowArchitecture", "n_transforms", 10**6),
    "bins": ("FlowArchitecture", "bins", 10**7),
    "components": ("FlowArchitecture", "n_components", 10**8),
    "members": ("Networks", "n_members", 10**8),
}


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    """The file of a flow mixture."""
    deep = pytest.importorskip("semigen.deep")
    model = deep.FlowMixtureClassifier(
        n_transforms=1,
        hidden=(8,),
        n_steps=2,
        warmup_steps=1,
        calibrate=1.0,
        unlabeled_weight=1.0,
        device="cpu",
    )
    path = tmp_path_factory.mktemp("flow") / "m.semigen"
    save(model.fit(*rows()), path)
    return path


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_networks_larger_than_their_weights_are_not_built(tmp_path, flow, name):
    kind, attribute, value = CLAIMS[name]

    def tree(root):
        nodes(root, kind)[0]["content"]["content"][attribute] = json_number(value)

    with pytest.raises(ModelFileError, match=r"than (its )?weights"):
        load(changed(tmp_path / "m", flow, tree=tree))


def test_what_could_not_be_read_is_not_saved(tmp_path, small):
    model = load(small)
    model.n_iter_ = slice(3)
    with pytest.raises(ModelFileError, match=r"builtins\.slice"):
        save(model, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_parts_that_do_not_fit_together_end_in_one_line(tmp_path, here):
    make_table()[0].to_csv("data.csv", index=False)
    fit("data.csv", "--target", "y", "--out", "out")
    with_array("m.semigen", "out/model.semigen", "Params", "log_group", lambda group: group[:, :1])
    message = error_of(run("predict", "m.semigen", "data.csv", "--out", "o.csv", code=1))
    assert "m.semigen cannot predict these rows (" in message
    assert "do not fit together" in message


# --- damages


def damaged(content, rng):
    """A content in which something is lost, added, overwritten or exchanged."""
    position, length = rng.integers(len(content)), int(2 ** rng.uniform(0, 10))
    piece = content[position : position + length]
    return {
        0: lambda: content[:position],
        1: lambda: content[:position] + content[position + length :],
        2: lambda: content[:position] + rng.bytes(length) + content[position:],
        3: lambda: content[:position] + rng.bytes(len(piece)) + content[position + length :],
        4: lambda: content[:position] + bytes(len(piece)) + content[position + length :],
        5: lambda: (
            content[:position] + bytes([content[position] ^ (1 << rng.integers(8))]) + content[position + 1 :]
        ),
        6: lambda: content[-length:] + content[:-length],
        7: lambda: content + content[position:],
    }[int(rng.integers(8))]()


def outcome(call, path):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(path), None
    except Exception as error:
        return None, error


def check_damages(tmp_path, path, seeds):
    """Every damage of the file, and of the payload in it, is one error or harms nothing."""
    whole, parts = path.read_bytes(), entries_of(path)
    header, answer = json.loads(parts["semigen.json"]), load(path).predict_proba([[1.0, 2.0]])
    target, refused = tmp_path / "damaged", 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        if seed % 2:
            write(target, header, damaged(parts["model.skops"], rng))  # the checksum fits
        else:
            target.write_bytes(damaged(whole, rng))
        for call in (read_notes, load):
            found, error = outcome(call, target)
            if error is not None:
                refused += 1
                assert isinstance(error, ModelFileError), (seed, error)
                assert len(str(error).splitlines()) == 1, (seed, error)
                assert str(target) in str(error), (seed, error)
            elif call is load and not seed % 2:
                np.testing.assert_array_equal(found.predict_proba([[1.0, 2.0]]), answer)
    return refused


def test_damages_end_in_one_clear_error(tmp_path, small):
    assert check_damages(tmp_path, small, range(60)) > 60


@pytest.mark.long
def test_a_thousand_damages_end_in_one_clear_error(tmp_path, small):
    assert check_damages(tmp_path, small, range(1000, 2000)) > 1000
