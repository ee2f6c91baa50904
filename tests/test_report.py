"""The report: laws of its record, the page as text, hostile names, files of the command line."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

import semigen
from command_line import error_of, here, make_table, run, shown
from semigen import columns as columns_of
from semigen.columns import ReadTable
from semigen.datasets import bundled_table
from semigen.ensemble.settle import ALL_MODELS, SUPERVISED_MODELS
from semigen.evaluation.metrics import row_log_loss
from semigen.exceptions import LabelError, MissingExtraError
from semigen.judgement.crossovers import with_more_labels
from semigen.judgement.findings.labels import LOOK_WRONG
from semigen.reporting import columns, figures, held_out, page, rows
from semigen.reporting.evidence import Evidence, HeldOutRows, held_out_of
from semigen.reporting.record import FORMAT, SECTIONS, SECTIONS_BY_COLUMN, sections
from semigen.reporting.view import findings, tiles, view

__all__ = ["here"]  # fixtures

BIDI = "price\u202egnp.exe"
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "bidi": BIDI,
    "emoji": "👩🏽‍🔬 café",
    "long": "x" * 300,
    "math": r"$\frac{1}{$ {{ 7 * 7 }} {% raw",
}


@pytest.fixture(scope="module")
def evidence():
    """A logistic regression of two of three columns, with held-out probabilities that are drawn."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    truth = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(int) + (X[:, 0] > 1)
    code = np.where(np.arange(400) < 90, truth, -1)
    model = LogisticRegression().fit(X[:90, :2], truth[:90])
    model.coef_ = np.column_stack([model.coef_, np.zeros(3)])
    model.n_features_in_ = 3
    held = HeldOutRows(
        np.arange(90), np.ones(90), rng.dirichlet(np.ones(3), 90), rng.dirichlet(np.ones(3), 90)
    )
    return Evidence(model, X, code, model.predict_proba(X), range(400), "row", held)


@pytest.fixture(scope="module")
def auto():
    """A small ensemble on a real table, and the report of it."""
    table = bundled_table("iris", 8, 0)
    frame = pd.DataFrame(table.X, columns=table.feature_names)
    model = semigen.AutoClassifier(n_mixtures=4, n_jobs=1).fit(frame, table.y)
    return model, semigen.report(model, frame, table.y, target="species")


@pytest.fixture(scope="module")
def text(auto):
    return auto[1].to_html()


# --- laws of the sections


def test_scores_class_by_class_are_those_counted_by_hand(evidence):
    found = held_out.held_out(evidence)
    code, best = evidence.code[:90], evidence.held_out.probabilities.argmax(axis=1)
    assert found["accuracy"]["value"] == pytest.approx((code == best).mean())
    for k, one in enumerate(found["classes"]):
        assert one["recall"]["value"] == pytest.approx((best[code == k] == k).mean(), abs=1e-6)
        assert one["precision"]["value"] == pytest.approx((code[best == k] == k).mean(), abs=1e-6)
        assert one["recall"]["low"] < one["recall"]["value"] < one["recall"]["high"]
        assert found["confusion"][k] == [int(((code == k) & (best == j)).sum()) for j in range(3)]
    other = evidence.held_out.other.argmax(axis=1)
    assert found["twin"][1]["recall"]["value"] == pytest.approx((other[code == 1] == 1).mean(), abs=1e-6)


def test_thresholds_count_what_reaches_them(evidence):
    found = held_out.thresholds(evidence)
    probs, code = evidence.held_out.probabilities, evidence.code
    for k, one in enumerate(found["classes"]):
        for i, limit in enumerate(found["threshold"]):
            reaching = probs[:, k] >= limit
            assert one["hits"][i] == (reaching & (code[:90] == k)).sum()
            assert one["false_alarms"][i] == (reaching & (code[:90] != k)).sum()
            assert one["unlabeled"][i] == (evidence.probabilities[90:, k] >= limit).sum()


def test_reliability_has_all_rows_once_and_their_mean_gap(evidence):
    found = held_out.reliability(evidence)
    probs = evidence.held_out.probabilities
    right = probs.argmax(axis=1) == evidence.code[:90]
    n = np.array([one["n_rows"] for one in found["bins"]])
    assert n.sum() == 90
    assert n @ [one["probability"] for one in found["bins"]] == pytest.approx(
        probs.max(axis=1).sum(), rel=1e-4
    )
    assert n @ [one["right"]["value"] for one in found["bins"]] == pytest.approx(right.sum())
    assert found["expected_calibration_error"] > 0.1  # the probabilities are drawn at random


def test_suspicious_labels_are_the_surest_contradictions(evidence):
    found = held_out.suspicious_labels(evidence)
    probs, code = evidence.held_out.probabilities, evidence.code[:90]
    own = probs[np.arange(90), code]
    few = np.minimum(np.bincount(code) / 30, 1)[code]  # a class of few labels has as few wrong ones
    odds = (1 - own) / 2 * few / (10 * own)  # one label in eleven is wrong, two other classes
    said = [odds[one["row"]] for one in found]
    assert said == sorted(said, reverse=True)
    unlikely = odds > 1
    assert 0 < unlikely.sum() < (probs.argmax(axis=1) != evidence.code[:90]).sum() / 2
    assert {one["row"] for one in found} == set(np.flatnonzero(unlikely).tolist())
    for one in found:
        assert one["given"] != one["predicted"]
        assert one["given"] == evidence.code[one["row"]]
        assert one["probability_of_given"] == pytest.approx(probs[one["row"], one["given"]], abs=1e-6)


def test_labels_between_two_classes_are_merely_uncertain(evidence):
    probs = np.full((90, 3), 0.05)
    probs[np.arange(90), evidence.code[:90]] = 0.2
    probs[np.arange(90), (evidence.code[:90] + 1) % 3] = 0.75
    known = replace(evidence, held_out=replace(evidence.held_out, probabilities=probs))
    assert held_out.suspicious_labels(known) == []


def test_labels_that_advice_doubts_follow_on_those_of_the_model(evidence):
    found = {"suspicious_labels": held_out.suspicious_labels(evidence)}
    model = [one["row"] for one in found["suspicious_labels"]]
    other = next(row for row in range(90) if row not in model)
    sentence = "None of 90 labels looks wrong."
    advice = {"findings": [{"name": LOOK_WRONG, "sentence": sentence, "evidence": {"rows": []}}]}
    assert held_out.with_advice(found, evidence) == found  # without advice
    alone = held_out.with_advice(found | {"advice": advice}, evidence)
    assert alone["suspicious_labels"] == found["suspicious_labels"]
    assert findings(alone)[0]["sentence"] == (
        f"{sentence} The saved model doubts {len(model)} labels: see data and labels."
    )
    advice["findings"][0]["evidence"]["rows"] = [{"row": model[1]}, {"row": other}]
    both = held_out.with_advice(found | {"advice": advice}, evidence)
    assert [one["row"] for one in both["suspicious_labels"]] == [*model, other]
    by = [one["doubted_by"] for one in both["suspicious_labels"]]
    assert by[0] == ["saved model"]
    assert by[1] == ["saved model", "advice"]
    assert by[-1] == ["advice"]
    assert both["suspicious_labels"][-1]["given"] == evidence.code[other]
    assert "that the models of this advice do not" in findings(both)[0]["sentence"]


def test_shuffling_a_column_that_is_not_used_changes_nothing(evidence):
    found = {one["column"]: one for one in columns.importance(evidence)["columns"]}
    assert found[2]["change"] == 0
    assert found[2]["log_loss"] == 0
    assert found[0]["change"] > found[1]["change"] > 0.01
    assert found[0]["log_loss"] > 0.1


def test_of_many_columns_those_are_shuffled_that_tell_the_classes_apart():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(150, 90))
    y = (X[:, 77] > 0).astype(int)
    model = LogisticRegression().fit(X, y)
    found = columns.importance(Evidence(model, X, y, model.predict_proba(X), range(150), "row"))
    assert found["n_columns"] == 90
    assert len(found["columns"]) == columns.MOST_COLUMNS
    assert found["columns"][0]["column"] == 77


def test_the_least_certain_rows_are_unlabeled_and_sorted(evidence):
    found = rows.least_certain(evidence, [0])
    margins = [one["probability"] - one["second_probability"] for one in found]
    assert margins == sorted(margins)
    assert all(one["row"] >= 90 for one in found)
    best = np.sort(evidence.probabilities[90:], axis=1)
    assert margins[0] == pytest.approx((best[:, -1] - best[:, -2]).min(), abs=1e-5)
    assert found[0]["values"] == {"0": evidence.features[found[0]["row"], 0]}


def test_the_map_has_labeled_and_uncertain_rows_and_is_capped(evidence):
    n = rows.MOST_ON_MAP + 700
    rng = np.random.default_rng(2)
    X = rng.normal(size=(n, 3))
    code = np.where(np.arange(n) < 600, 0, -1)
    large = replace(
        evidence, features=X, code=code, probabilities=evidence.model.predict_proba(X), ids=range(n)
    )
    found = rows.map_of_rows(large)
    assert len(found["row"]) == rows.MOST_ON_MAP
    assert sum(one >= 0 for one in found["given"]) == rows.MOST_LABELED_ON_MAP
    assert sum(found["uncertain"]) == rows.MOST_ROWS
    assert {one["row"] for one in rows.least_certain(large, [])} <= set(found["row"])


def test_without_held_out_rows_their_sections_are_left_out(evidence):
    found = sections(replace(evidence, held_out=None))
    assert not {"held_out", "reliability", "thresholds", "suspicious_labels"} & set(found)
    assert {"class_shares", "map", "importance", "least_certain", "model_card"} <= set(found)


# --- the record and the page of an ensemble


def test_the_record_of_an_ensemble_says_what_the_ensemble_says(auto):
    model, report = auto
    record = report.to_dict()
    assert record["format"] == FORMAT
    used = model.unlabeled_used_
    own, other = (ALL_MODELS, SUPERVISED_MODELS) if used else (SUPERVISED_MODELS, ALL_MODELS)
    score = model.validation_.score(own)
    assert record["held_out"]["accuracy"]["value"] == pytest.approx(score.accuracy.value)
    assert record["held_out"]["log_loss"]["value"] == pytest.approx(score.log_loss.value)
    held = held_out_of(model, model.validation_, (own, other))
    code = np.searchsorted(model.classes_, bundled_table("iris", 8, 0).y_true[held.rows])
    for probabilities, name in ((held.probabilities, own), (held.other, other)):
        losses = row_log_loss(probabilities, code)
        np.testing.assert_allclose(losses, model.validation_.row_losses[name], rtol=1e-9)
    of_twin = sum(one["recall"]["value"] * 8 for one in record["held_out"]["twin"]) / 24
    assert of_twin == pytest.approx(model.validation_.score(other).accuracy.value, abs=1e-5)
    assert set(SECTIONS) | set(SECTIONS_BY_COLUMN) <= set(record) | {"telling_columns", "parting_columns"}
    sizes = record["prediction_sets"]["sizes"]
    assert sum(one["n_rows"] for one in sizes) == 126
    asked = record["label_next"]
    assert [one["reason"] in ("explore", "uncertain") for one in asked["rows"]] == [True] * rows.N_ASKED
    given = dict(zip(record["map"]["row"], record["map"]["given"], strict=True))
    assert all(given[one["row"]] < 0 for one in asked["rows"])
    assert record["verdict"]["outcome"] == model.verdict_.outcome
    assert record["changed_rows"]["n_rows"] == 126
    twin, own = (np.array(record["map"][key]) for key in ("twin", "class"))
    unlabeled = np.array(record["map"]["given"]) < 0
    assert (twin != own)[unlabeled].sum() == record["changed_rows"]["n_changed"]


def test_records_survive_json_and_pages_are_made_of_them_alone(auto, text, tmp_path):
    _, report = auto
    record = report.to_dict()
    again = json.loads(json.dumps(record, allow_nan=False))
    assert again == record
    semigen.Report(again).save(tmp_path / "a.html")
    assert str(semigen.Report(again)).startswith(again["verdict"]["text"])
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == text
    with pytest.raises(FileExistsError, match="overwrite"):
        report.save(tmp_path / "a.html")


@pytest.mark.parametrize(("n_ok", "note"), [(97, "95 to 99 %; 97.0 % are ok"), (60, "95 to 99 %")])
def test_an_accuracy_is_shown_beside_the_share_of_the_largest_class(n_ok, note):
    one = {"value": 0.97, "low": 0.95, "high": 0.99}
    classes = [{"class": "fraud", "n_rows": 100 - n_ok}, {"class": "ok", "n_rows": n_ok}]
    scored = {"n_rows": 100, "accuracy": one, "log_loss": one, "classes": classes}
    record = {"n_rows": 100, "n_unlabeled": 0, "class_shares": classes, "held_out": scored}
    assert tiles(record)[0] == ("right on held-out rows", "97.0 %", f"95 % interval {note}")


def test_a_page_is_one_small_file_that_asks_for_nothing(text):
    assert len(text.encode()) < 600_000
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", text)
    assert "default-src 'none'" in text
    assert len(re.findall(r"<script>", text)) == 1


def test_a_page_comes_from_any_classifier_and_its_cross_validation():
    data = bundled_table("iris", 6, 0)
    model = semigen.MixtureClassifier().fit(data.X, data.y)
    record = semigen.report(model, data.X, data.y).to_dict()
    score = record["comparison"]["scores"]["all rows"]["accuracy"]["value"]
    assert record["held_out"]["accuracy"]["value"] == pytest.approx(score)
    assert "labeled rows only" in record["comparison"]["scores"]
    labeled = data.y != None  # noqa: E711
    plain = LogisticRegression(max_iter=500).fit(data.X[labeled], data.y[labeled].astype(str))
    record = semigen.report(plain, data.X[labeled], data.y[labeled].astype(str)).to_dict()
    assert record["verdict"]["outcome"] == "no unlabeled rows"
    assert record["least_certain"] == []
    page.html_page(record)
    with pytest.raises(LabelError, match="ids has 2 values"):
        semigen.report(model, data.X, data.y, ids=["a", "b"])


class Given:
    """What advise or forecast returned."""

    def __init__(self, **record):
        self.to_dict = lambda: record


def test_a_page_comes_from_documents_and_from_counts_in_a_sparse_matrix():
    rng = np.random.default_rng(0)
    truth = np.arange(80) % 2
    X = csr_array(rng.poisson(np.where(truth[:, None] == np.arange(12) % 2, 2.0, 0.5)))
    y = np.where(np.arange(80) < 20, truth, -1)
    model = semigen.AutoClassifier(n_mixtures=2, n_jobs=1).fit(X, y)
    record = semigen.report(model, X, y).to_dict()
    assert record["columns"] == []
    assert record["n_unlabeled"] == 60
    assert sum(one["rows"] for one in record["predicted"]) == 80


def test_advice_and_forecast_are_parts_of_their_own(auto):
    model, _ = auto
    table = bundled_table("iris", 8, 0)
    frame = pd.DataFrame(table.X, columns=table.feature_names)
    advice = Given(
        sentence="Use the rows <now>.",
        recommendation={"kind": "hybrid", "estimator": "Hybrid()", "reason": "because " * 100 + "it is."},
        findings=[{"name": "clusters", "severity": "warning", "sentence": "They are not classes." * 50}],
    )
    at = [{"n_labels": n, "value": 3 / n, "low": 2 / n, "high": 4 / n} for n in (24, 48, 96)]
    curve = {"name": "mixture", "n_labels": [6, 12, 24], "error": at, "forecast": at}
    forecast = Given(sentence="It overtakes.", best="mixture", curves=[curve])
    made = semigen.report(model, frame, table.y, advice=advice, forecast=forecast)
    text = made.to_html()
    assert "Other tables" not in text
    elsewhere = [asdict(one) for one in with_more_labels(8)]
    forecast = Given(sentence="It overtakes.", best="mixture", curves=[curve], elsewhere=elsewhere)
    page = semigen.report(model, frame, table.y, advice=advice, forecast=forecast).to_html()
    rows = re.findall(r'<th scope="row">(.*?)</th><td class="n">(8|100)</td>', page.split("Other tables:")[1])
    assert rows == [(one.name, f"{one.per_class:.0f}") for one in with_more_labels(8)]
    assert "Use the rows &lt;now&gt;." in text
    assert "because it is." in text  # sentences are whole, however long
    assert "They are not classes." * 50 in text
    assert 'class="drawing learning_curve"' in text
    assert text.index("The unlabeled rows" if "The unlabeled" in text else "Too few") < text.index(
        "Use the rows"
    )


# --- names of strangers


def test_labeled_rows_are_drawn_thin_below_all_rows_as_the_page_says(auto):
    record = auto[1].to_dict()
    with matplotlib.rc_context(figures._STYLE):
        figure, _ = figures._columns(record)
        figure.draw_without_rendering()
    panel = figure.axes[0]
    heights = {
        width: [
            panel.transData.transform((0, one.get_ydata()[0]))[1]
            for one in panel.lines
            if one.get_linewidth() == width
        ]
        for width in (3, 7)
    }
    assert len(heights[3]) == 3
    assert all(thin < thick for thin, thick in zip(heights[3], heights[7], strict=True))


def test_titles_of_axes_do_not_meet_where_names_of_models_are_long(auto):
    text = json.dumps(auto[1].to_dict())
    record = json.loads(text.replace('"extra trees"', '"logistic regression on principal components"'))
    with matplotlib.rc_context(figures._STYLE):
        figure, _ = figures._scores(record)
        figure.draw_without_rendering()
        left, right = (panel.xaxis.label.get_window_extent() for panel in figure.axes)
    assert left.x1 < right.x0
    assert right.x1 < figure.bbox.x1


def test_hostile_names_are_shown_and_not_run():
    rng = np.random.default_rng(0)
    names = list(HOSTILE.values())
    X = pd.DataFrame(rng.normal(size=(80, len(names))), columns=names)
    X[BIDI] = rng.choice(["<b>1</b>", "$x_$"], 80)
    y = np.where(X.iloc[:, 0] > 0, HOSTILE["script"], HOSTILE["math"]).astype(object)
    y[40:] = None
    model = semigen.MixtureClassifier(unlabeled=None).fit(X, y)
    ids = [f"{name} {i}" for i in range(20) for name in names[:4]]
    text = semigen.report(model, X, y, unlabeled=None, ids=ids, target=HOSTILE["attribute"]).to_html()
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "<b>1" not in text
    assert "\u202e" not in text
    assert r"price\u202egnp.exe" in text
    assert "👩🏽‍🔬 café" in text
    assert "x" * 300 in text
    assert "{{ 7 * 7 }}" in text


# --- the command line


@pytest.fixture
def table(here):
    frame, _ = make_table()
    frame.to_csv("data.csv", index=False)


def test_fit_writes_a_report_and_says_what_to_do_next(table):
    result = run("fit", "data.csv", "--target", "y", "--model", "mixture", "--seed", 3, report=True)
    assert "Look at: data-semigen/report.html" in result.stdout
    assert "Label next: the 20 rows of data-semigen/label_next.csv" in result.stdout
    record = json.loads(Path("data-semigen/summary.json").read_text())
    card = record["model_card"]
    assert card["command"] == "semigen fit data.csv --target y --model mixture --seed 3"
    assert card["seconds"] > 0
    written = Path("data-semigen/report.html").read_bytes()
    assert b"data.csv" in written
    again = run("report", "data-semigen")
    assert record["verdict"]["text"] in shown(again)
    assert Path("data-semigen/report.html").read_bytes() == written
    frame = pd.read_csv("data-semigen/label_next.csv")
    assert frame["row"].tolist() == [one["row"] for one in record["least_certain"]]
    assert frame["y"].isna().all()


def test_a_study_adds_advice_and_learning_curves_or_says_why_not(table, monkeypatch):
    seen = {}

    def advised(X, y, **options):
        seen.update(options, labels=y)
        return Given(sentence="Use them.", recommendation={}, findings=[])

    def refused(*_, **__):
        raise LabelError("too few labels: label more.")

    monkeypatch.setattr("semigen.cli.training.advise", advised)
    monkeypatch.setattr("semigen.cli.training.forecast", refused)
    result = run("fit", "data.csv", "--target", "y", "--model", "mixture", "--study", "--seed", 5)
    record = json.loads(Path("data-semigen/summary.json").read_text())
    assert record["advice"]["sentence"] == "Use them."
    assert "learning_curve" not in record
    assert "note: no learning curve: too few labels: label more." in " ".join(result.stderr.split())
    assert seen["random_state"] == 5
    assert seen["kinds"] == {"u": "number", "v": "number", "w": "number"}
    assert sum(label is not None for label in seen["labels"]) == 20


def test_a_report_elsewhere_does_not_replace_a_file(table):
    run("fit", "data.csv", "--target", "y", "--model", "mixture")
    assert not Path("data-semigen/report.html").exists()
    printed = json.loads(run("report", "data-semigen/summary.json", "--out", "mine.html", "--json").stdout)
    assert printed["out"] == "mine.html"
    assert "exists" in error_of(run("report", "data-semigen", "--out", "mine.html", code=1))
    run("report", "data-semigen", "--out", "mine.html", "--force")


@pytest.mark.parametrize("text", ["", "[1]", '{"semigen": "0.1"}', '{"format": 2}', "\x00"])
def test_what_is_no_summary_is_refused_in_one_line(here, text):
    Path("summary.json").write_text(text)
    assert "is no summary of" in error_of(run("report", ".", code=1))
    assert not Path("report.html").exists()


def test_where_the_extra_is_absent_fit_writes_the_rest(table, monkeypatch):
    find = page.importlib.util.find_spec
    monkeypatch.setattr(
        page.importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    result = run("fit", "data.csv", "--target", "y", "--model", "mixture", report=True)
    note = " ".join(result.stderr.split())
    assert 'report.html is not written: a report needs matplotlib, which the extra "report" installs' in note
    assert "semigen report data-semigen" in note
    assert {one.name for one in Path("data-semigen").iterdir()} >= {"summary.json", "label_next.csv"}
    assert not Path("data-semigen/report.html").exists()
    assert 'pip install "semigen[report]"' in error_of(run("report", "data-semigen", code=1))
    with pytest.raises(MissingExtraError, match="matplotlib"):
        page.html_page({})


@pytest.mark.parametrize(
    ("outcome", "harm", "headline"),
    [
        ("unclear", 0.2, "The unlabeled rows probably helped."),
        ("unclear", 0.8, "The unlabeled rows probably hurt."),
        ("unclear", 0.5, "Too few labels to tell whether the unlabeled rows helped."),
        ("unclear", None, "Too few labels to tell whether the unlabeled rows helped."),
        ("helped", 0.8, "The unlabeled rows helped."),
    ],
)
def test_the_headline_leans_where_labels_cannot_tell(auto, outcome, harm, headline):
    record = auto[1].to_dict()
    verdict = {**record["verdict"], "outcome": outcome, "harm_probability": harm}
    assert view({**record, "verdict": verdict})["headline"] == headline
    small = view({**record, "verdict": {**verdict, "negligible": True}})
    assert (small["headline"], small["tone"]) == ("The unlabeled rows make next to no difference.", "plain")


@pytest.mark.parametrize(
    ("outcome", "loss", "headline", "tone"),
    [
        ("worse", 0.2, "The predictions are worse than the class shares alone.", "bad"),
        ("unclear", 0.1, "These labels do not show that the columns tell the classes apart.", "plain"),
        ("unclear", -0.1, "The unlabeled rows helped.", "good"),
        ("better", -0.3, "The unlabeled rows helped.", "good"),
    ],
)
def test_the_headline_is_about_the_columns_where_they_teach_nothing(auto, outcome, loss, headline, tone):
    record = auto[1].to_dict()
    shares = next(one for one in record["standing"] if one["beside"] == "class shares")
    change = {**shares["change"], "log_loss": {"value": loss, "low": loss - 0.1, "high": loss + 0.1}}
    standing = [{**shares, "outcome": outcome, "change": change}]
    helped = {**record["verdict"], "outcome": "helped", "negligible": False}
    shown = view({**record, "standing": standing, "verdict": helped})
    assert (shown["headline"], shown["tone"]) == (headline, tone)


def test_a_study_reads_columns_as_the_fit_does_and_does_not_say_so_again(table, monkeypatch):
    frame = pd.read_csv("data.csv")
    frame["zip"] = np.arange(len(frame)) % 7
    frame["seen"] = pd.date_range("2020-01-01", periods=len(frame)).strftime("%Y-%m-%d")
    frame.to_csv("data.csv", index=False)
    read = {}

    def given(name):
        def noted(X, y, *, kinds=None, **_):
            table = ReadTable(*columns_of.learn(X, kinds))
            read[name] = dict(zip(table.schema.names, table.schema.kinds, strict=False))
            return Given(sentence="So.", recommendation={}, findings=[], best="a", curves=[])

        return noted

    for name in ("advise", "forecast"):
        monkeypatch.setattr(f"semigen.cli.training.{name}", given(name))
    monkeypatch.setattr("semigen.reporting.figures.pictures", lambda _: {})
    result = run("fit", "data.csv", "--target", "y", "--model", "mixture", "--study", "--as", "zip=category")
    assert read["advise"]["zip"] == read["forecast"]["zip"] == "category"
    assert "columns of X" not in shown(result)


def test_labels_of_classes_that_the_model_does_not_know_are_refused(rng):
    X, y = rng.normal(size=(30, 2)), np.arange(30) % 3
    model = LogisticRegression().fit(X, np.minimum(y, 1))
    with pytest.raises(LabelError, match=r"classes \[2\], which the estimator has not learned.*\[0, 1\]"):
        semigen.report(model, X, y)
