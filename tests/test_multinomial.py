"""What the multinomial family does beyond the laws of ``test_family_laws.py``."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse import random as random_sparse

from laws import fit_prior, stats_of
from semigen import MixtureClassifier, load, save
from semigen.data.labels import encode
from semigen.em import Data, Mixture, ThreadEngine, fit, start
from semigen.exceptions import ColumnError, ConvergenceWarning, ParameterError
from semigen.families import Multinomial
from semigen.families.multinomial import EQUAL_LENGTH


def topics(rng, n=300, n_words=200, n_topics=3):
    """Documents of ten to two hundred words, which repeat theirs (Dirichlet-multinomial), and topics."""
    topic = rng.integers(n_topics, size=n)
    chance = rng.dirichlet(np.full(n_words, 0.3), size=n_topics) + 1.0 / n_words
    own = rng.gamma(0.5 * n_words * chance[topic] / chance.sum(axis=1)[topic, None])
    lengths = np.exp(rng.uniform(np.log(10), np.log(200), size=n)).astype(int)
    return csr_array(rng.multinomial(lengths, own / own.sum(axis=1, keepdims=True)).astype(float)), topic


def phrases(rng, n, n_words=600, n_topics=3):
    """Documents of two to seven phrases of eight words, each said up to four times, and their topics."""
    topic = rng.integers(n_topics, size=n)
    phrase = np.stack([np.isin(np.arange(n_words), rng.choice(n_words, 8, False)) for _ in range(150)])
    chance = 0.3 * rng.dirichlet(np.ones(150)) + 0.7 * rng.dirichlet(np.full(150, 0.1), size=n_topics)
    said = np.stack([rng.multinomial(rng.integers(2, 8), chance[t]) for t in topic])
    return csr_array((said * rng.integers(1, 5, size=said.shape) @ phrase).astype(float)), topic


def textbook(x, y, n_classes, length, strength, n_iter):
    """Naive Bayes EM with loops over documents, from the formulas alone: posteriors after its steps."""
    rows = [length * row / row.sum() for row in x]
    overall = sum(rows) / len(rows)
    posterior = [np.eye(n_classes)[k] if k >= 0 else np.zeros(n_classes) for k in y]
    for _ in range(n_iter + 1):
        word = np.tile(strength * overall, (n_classes, 1))
        share = np.zeros(n_classes)
        for row, r in zip(rows, posterior, strict=True):
            word += np.outer(r, row)
            share += r
        word /= word.sum(axis=1, keepdims=True)
        share /= share.sum()
        result = []
        for row in rows:
            odds = share * np.exp(row @ np.log(word).T)
            result.append(odds / odds.sum())
        posterior = [np.eye(n_classes)[k] if k >= 0 else r for r, k in zip(result, y, strict=True)]
    return np.array(result)


@pytest.mark.parametrize("sparse", [False, True])
def test_em_is_the_textbooks(sparse, rng):
    x, topic = topics(rng, n=60, n_words=12)
    y = np.where(np.arange(60) < 9, topic, -1)
    y[:3] = topic[:3] = [0, 1, 2]
    model = MixtureClassifier(
        Multinomial(4.0), shrinkage=2.5, unlabeled_weight=1.0, calibrate=1.0, max_iter=5, tol=0.0
    )
    with pytest.warns(match="stopped after 5"):
        model.fit(x if sparse else x.toarray(), y)
    wanted = textbook(x.toarray(), y, 3, 4.0, 2.5, 5)
    np.testing.assert_allclose(model.predict_proba(x), wanted, rtol=1e-9, atol=1e-12)


def test_a_length_is_the_length_that_documents_are_scaled_to(rng):
    x, topic = topics(rng)
    y = np.where(np.arange(300) < 30, topic, -1)
    scaled = 7.0 * x.toarray() / x.sum(axis=1)[:, None]
    inside = MixtureClassifier(Multinomial(7.0)).fit(x, y)
    outside = MixtureClassifier(Multinomial("raw")).fit(csr_array(scaled), y)
    assert inside.objective_ == pytest.approx(outside.objective_, rel=1e-10)
    np.testing.assert_allclose(inside.predict_proba(x), outside.predict_proba(scaled), atol=1e-8)


def test_equal_length_does_not_mind_how_long_a_document_is(rng):
    x, topic = topics(rng)
    model = MixtureClassifier("multinomial").fit(x, topic)
    np.testing.assert_allclose(model.log_joint(x), model.log_joint(3.0 * x), rtol=1e-12)
    same = MixtureClassifier(Multinomial(EQUAL_LENGTH)).fit(x, topic)
    np.testing.assert_array_equal(model.log_joint(x), same.log_joint(x))


def test_raw_counts_are_far_too_sure_where_words_come_together(rng):
    """Why equal length is the default: log-loss of new documents, nats; ln 3 = 1.1 is knowing nothing."""
    x, topic = phrases(rng, 1500)
    y = np.where(np.arange(1500) < 15, topic, -1)
    loss = {}
    for length in ("equal", "raw"):
        model = MixtureClassifier(Multinomial(length), unlabeled_weight=1.0, calibrate=1.0)
        model.fit(x[:1000], y[:1000])
        chance = model.predict_proba(x[1000:])[np.arange(500), topic[1000:]]
        loss[length] = -np.log(np.maximum(chance, 1e-9)).mean()
    assert loss["equal"] < 0.6
    assert loss["raw"] > 2 * loss["equal"]


def test_documents_without_words_have_every_component_alike(rng):
    x, topic = topics(rng, n=60)
    x = csr_array(np.vstack([x.toarray(), np.zeros((4, 200))]))
    y = np.append(np.where(np.arange(60) < 30, topic, -1), [-1, -1, 0, -1])
    model = MixtureClassifier("multinomial", calibrate=1.0).fit(x, y)
    np.testing.assert_allclose(model.predict_proba(x[60:]), np.tile(model.class_prior_, (4, 1)))
    params = model.params_.family
    np.testing.assert_array_equal(model.mixture_.family.walk(params, float).log_prob(x[60:]), 0.0)


def test_a_word_that_no_document_had_says_nothing_of_the_class_but_that_the_document_is_new(rng):
    x, topic = topics(rng)
    wide = csr_array(np.hstack([x.toarray(), np.zeros((300, 1))]))
    model = MixtureClassifier("multinomial").fit(wide, topic)
    strange = wide.toarray()[:5]
    strange[:, -1] = 5.0
    known, odd = model.log_joint(wide[:5]), model.log_joint(strange)
    shorter = x.sum(axis=1)[:5] / (x.sum(axis=1)[:5] + 5.0)
    prior = np.log(model.class_prior_)
    gap = odd - prior - shorter[:, None] * (known - prior)
    np.testing.assert_allclose(gap, gap[:, :1].repeat(3, axis=1), rtol=1e-9)
    assert (model.score_samples(strange) < model.score_samples(wide[:5]) - 5).all()


def test_words_never_seen_are_no_parameters(rng):
    x, topic = topics(rng, n_words=50)
    wide = csr_array(np.hstack([np.zeros((300, 7)), x.toarray()]))
    seen = int((x.sum(axis=0) > 0).sum())
    for shrinkage in ("auto", 0):
        model = MixtureClassifier("multinomial", shrinkage=shrinkage).fit(wide, topic)
        n_free = model.mixture_.family.n_free(model.params_.family)
        assert n_free == 3 * (seen - 1)


def test_the_prior_is_documents_that_look_like_all_documents(rng):
    """Maximum a posteriori is maximum likelihood with all rows once more, at weights that sum to s."""
    x, topic = topics(rng, n=60, n_words=30)
    family = Multinomial()
    weight = rng.uniform(0.5, 2.0, size=60)
    prior = fit_prior(family, x, weight, None)
    assert prior.strength == pytest.approx(np.sqrt(weight.sum()))
    reference = family.reference(prior, 3)
    smoothed = family.m_step(prior, stats_of(family, reference, x, np.eye(3)[topic].T), reference)
    every = np.tile(prior.strength * weight / weight.sum(), (3, 1))
    both = csr_array(np.vstack([x.toarray(), x.toarray()]))
    plain = fit_prior(family, x, weight, 0.0)
    stats = stats_of(family, reference, both, np.hstack([np.eye(3)[topic].T, every]))
    wanted = family.m_step(plain, stats, reference)
    np.testing.assert_allclose(
        family.summary(smoothed)["probability"], family.summary(wanted)["probability"], rtol=1e-10
    )


def test_weights_of_words_need_not_be_whole(rng):
    x, topic = topics(rng)
    rarity = rng.uniform(0.5, 5.0, size=200)
    model = MixtureClassifier("multinomial").fit(csr_array(x.toarray() * rarity), topic)
    assert model.score(csr_array(x.toarray() * rarity), topic) > 0.9


def test_sparse_rows_are_never_made_dense(rng, monkeypatch):
    def refuse(self, *arguments, **options):
        raise AssertionError("made dense")

    x, topic = topics(rng)
    y = np.where(np.arange(300) < 30, topic, -1)
    for name in ("toarray", "todense"):
        monkeypatch.setattr(csr_array, name, refuse)
    model = MixtureClassifier("multinomial", components_per_class=2, n_init=2, random_state=0).fit(x, y)
    assert model.predict(x).shape == (300,)
    assert np.isfinite(model.bic(x, y))


def test_memory_stays_far_below_that_of_dense_rows(rng):
    """1,000 documents of 20,000 words would take 160 MB."""
    x = csr_array(random_sparse(1000, 20_000, density=0.003, random_state=0, format="csr"))
    y = np.where(np.arange(1000) < 40, np.arange(1000) % 4, -1)
    family = Multinomial()
    data = Data(x, encode(y), np.ones(1000))
    engine = ThreadEngine(n_threads=1)
    mixture = Mixture(family, np.arange(4), 4)
    tracemalloc.start()
    prior = family.fit_prior(data, None, engine)
    begin = start(mixture, prior, data, engine, rng)
    fit(mixture, prior, data, begin, engine, max_iter=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16e6


def test_several_components_find_the_topics_of_a_class(rng):
    """Two topics in each class: one component a class mixes them, two tell the classes by them."""
    x, topic = topics(rng, n=800, n_topics=4)
    y = np.where(np.arange(800) < 120, topic % 2, -1)
    model = MixtureClassifier("multinomial", components_per_class=2, random_state=0).fit(x, y)
    component = (
        model.mixture_.family.walk(model.params_.family, float).log_prob(x) + np.log(model.weights_)[:, None]
    ).argmax(axis=0)
    assert max(np.bincount(component[topic == t]).max() / (topic == t).sum() for t in range(4)) > 0.9
    assert model.score(x, topic % 2) > 0.9


def test_points_of_one_topic_are_near_each_other(rng):
    x, topic = topics(rng, n=400, n_words=500)
    family = Multinomial()
    prior = fit_prior(family, x, np.ones(400), None)
    points = family.points(prior, x)
    assert points.shape == (400, 32)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1.0)
    distance = np.linalg.norm(points[:, None] - points, axis=2) + 10 * np.eye(400)
    assert np.mean(topic[distance.argmin(axis=1)] == topic) > 0.9
    np.testing.assert_array_equal(family.points(prior, csr_array((2, 500))), 0.0)


def test_samples_are_documents_of_mean_length(rng):
    x, topic = topics(rng)
    model = MixtureClassifier("multinomial").fit(x, topic)
    rows, _ = model.sample(50, random_state=0)
    assert rows.shape == (50, 200)
    np.testing.assert_array_equal(rows.sum(axis=1), round(x.sum() / 300))


def test_a_saved_model_predicts_the_same(rng, tmp_path):
    x, topic = topics(rng)
    model = MixtureClassifier(Multinomial(8)).fit(x, topic)
    save(model, tmp_path / "model.semigen")
    np.testing.assert_array_equal(load(tmp_path / "model.semigen").predict_proba(x), model.predict_proba(x))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([1.0, -2.0, 0.0], r"column\(s\) 1, .*such as -2, which are no counts or weights"),
        ([1.0, np.inf, 0.0], r"column\(s\) 1, .*such as inf"),
        ([1.0, np.nan, 0.0], "missing|no counts"),
        ([1e308, 1e308, 0.0], "too large to be added up"),
    ],
)
def test_rows_that_are_no_documents_are_refused(sparse, row, message):
    x = np.array([[1.0, 2.0, 0.0], row])
    x = csr_array(x) if sparse else x
    with pytest.raises(ColumnError, match=message):
        fit_prior(Multinomial(), x, np.ones(2), None)
    good = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]])
    params = Multinomial().reference(fit_prior(Multinomial(), good, np.ones(2), None), 2)
    with pytest.raises(ColumnError, match=message):
        Multinomial().walk(params, float).log_prob(x)


def test_where_no_row_has_a_word_the_words_of_new_rows_say_nothing():
    y = np.array([0, 0, 1, -1])
    model = MixtureClassifier().fit(csr_array((4, 40)), y)
    new = csr_array(np.eye(3, 40))
    np.testing.assert_allclose(model.predict_proba(new), model.predict_proba(csr_array((3, 40))), rtol=1e-12)
    assert np.isfinite(model.score_samples(new)).all()


def test_rows_that_are_too_short_to_tell_a_novel_class_are_warned_of(rng):
    truth = np.arange(400) % 4
    activity = rng.lognormal(0, 1, 120) * np.where(rng.random((4, 120)) < 0.1, 4.0, 1.0)
    rate = 1500 * activity / activity.sum(axis=1, keepdims=True)
    x = csr_array(rng.poisson(rate[truth] * rng.gamma(3, 1 / 3, (400, 120))).astype(float))
    y = np.where((np.arange(400) < 40) & (truth < 3), truth, -1)
    with pytest.warns(
        ConvergenceWarning, match=r"tells nothing: it is .*Multinomial\(50\)\) and raise n_init"
    ):
        MixtureClassifier(n_novel_components=1, max_iter=2000).fit(x, y)
    found = MixtureClassifier(Multinomial(50), n_novel_components=1, n_init=5, random_state=0).fit(x, y)
    np.testing.assert_array_equal(found.novel_probability(x) > 0.5, truth == 3)


def test_a_length_may_be_less_than_a_word():
    assert Multinomial(0.5).length == 0.5


@pytest.mark.parametrize("length", ["same", 0, -1.0, np.inf, np.nan, None, True])
def test_lengths_that_are_none_are_refused(length):
    with pytest.raises(ParameterError, match="'equal', 'raw' or a number"):
        Multinomial(length)
