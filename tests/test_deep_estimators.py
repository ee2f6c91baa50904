"""What the deep estimators hand to the trainer: λ, α, warm-up, class prior, and which rows count how much."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from semigen.data.weights import estimated_shares, read_labels  # noqa: E402
from semigen.deep import FlowMixtureClassifier, GANClassifier, VAEClassifier, VAEFeatures  # noqa: E402
from semigen.deep.data.labels import class_prior, split_rows  # noqa: E402
from semigen.deep.data.rows import Batch, hold_out, rows_to_predict  # noqa: E402
from semigen.evaluation.uncertainty import disagreement, entropy  # noqa: E402
from semigen.exceptions import LabelError, ParameterError  # noqa: E402
from semigen.testing.classifiers import probabilities_are_finite_and_sum_to_one  # noqa: E402

WARM = 10  # steps


def mean(values, weight):
    return np.average(values, weights=weight)


class HandedOverError(Exception):
    """What an estimator gave to the trainer."""


@pytest.fixture
def handed_over(monkeypatch):
    """The model and the batch of all rows that an estimator gives to the trainer."""

    def stop(models, streams, training, **options):
        raise HandedOverError(models[0], next(streams.batches(0)))

    monkeypatch.setattr("semigen.deep.estimator.train", stop)

    def find(estimator, *data):
        given = {} if isinstance(estimator, VAEFeatures) else {"calibrate": 1.0}
        if getattr(estimator, "unlabeled_weight", None) == "auto":
            given["unlabeled_weight"] = 1.0
        with pytest.raises(HandedOverError) as found:
            estimator.set_params(batch_size=100, device="cpu", random_state=0, **given).fit(*data)
        model, batch = found.value.args
        return model.double().eval(), Batch(
            *(
                rows._replace(x=rows.x.double(), mask=rows.mask.double(), weight=rows.weight.double())
                for rows in (part.take(0) for part in batch)
            )
        )

    return find


X = np.random.default_rng(3).normal(size=(30, 2))
KNOWN = np.arange(30) < 12
Y = np.where(KNOWN, np.arange(30) % 2, -1)
WEIGHT = np.random.default_rng(4).uniform(0.5, 2, size=30)


def objective(lam, alpha, bound, unlabeled, cross_entropy):
    """The objective in the docstrings: Σ over labeled rows and λ Σ over others per weight, less α · mean."""
    w, u = WEIGHT[KNOWN], lam * WEIGHT[~KNOWN]
    total = (w @ bound + (u @ unlabeled if lam else 0.0)) / (w.sum() + u.sum())
    return total - alpha * mean(cross_entropy, w)


@pytest.mark.parametrize("lam", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
@pytest.mark.parametrize(
    ("make", "names"),
    [
        (VAEClassifier, ("labeled_bound", "unlabeled_bound")),
        (FlowMixtureClassifier, ("log_joint", "log_density")),
    ],
)
def test_unlabeled_rows_count_lambda(handed_over, make, names, lam, alpha):
    given = {"unlabeled_weight": lam, "alpha": alpha, "hidden": 4, "patience": None}
    model, batch = handed_over(make(**given), X, Y, WEIGHT)
    with torch.no_grad():
        loss, parts = model.loss(batch, 10**6, "bound")
    of_labeled, of_unlabeled = (parts[name].numpy() if name in parts else None for name in names)
    wanted = objective(lam, alpha, of_labeled, of_unlabeled, parts["cross_entropy"].numpy())
    assert float(loss) == pytest.approx(-wanted, rel=1e-6)
    assert len(batch.unlabeled.x) == (18 if lam else 0)


@pytest.mark.parametrize("lam", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_unlabeled_rows_of_a_gan_are_real_and_count_lambda(handed_over, lam, alpha):
    options = {"hidden": 4, "generator_hidden": 4, "entropy_weight": 0.2}
    model, batch = handed_over(GANClassifier(unlabeled_weight=lam, alpha=alpha, **options), X, Y, WEIGHT)
    with torch.no_grad():
        loss, parts = model.loss(batch, 0, "discriminator")
    parts = {name: value.numpy() for name, value in parts.items()}
    weight = np.concatenate([WEIGHT[KNOWN], lam * WEIGHT[~KNOWN] if lam else np.empty(0)])
    wanted = alpha * mean(parts["cross_entropy"], WEIGHT[KNOWN])
    wanted += 0.5 * (mean(parts["real"], weight) + parts["generated"].mean())
    wanted += 0.2 * mean(parts["entropy"], weight)
    assert float(loss) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("make", [VAEFeatures, VAEClassifier, FlowMixtureClassifier])
def test_the_warm_up_lasts_as_long_as_warmup_steps(handed_over, make):
    data = (X,) if make is VAEFeatures else (X, Y)
    model, batch = handed_over(make(hidden=4, warmup_steps=WARM), *data)
    losses = []
    for step in (0, WARM // 2, WARM - 1, WARM, WARM + 1):
        torch.manual_seed(0)
        losses.append(model.loss(batch, step, "bound").loss.item())
    first, half, before, end, after = losses
    assert half == pytest.approx((first + end) / 2)
    assert before != end
    assert end == after
    if make is FlowMixtureClassifier:
        alone, batch = handed_over(make(hidden=4, warmup_steps=WARM, start="labels"), *data)
        starts = [alone.loss(batch, step, "bound").loss.item() for step in (0, WARM)]
        assert starts[0] == starts[1]


@pytest.mark.parametrize("make", [VAEClassifier, FlowMixtureClassifier])
def test_the_class_prior_is_the_one_that_is_asked_for(handed_over, make):
    model, _ = handed_over(make(hidden=4, class_prior=[0.9, 0.1]), X, Y)
    np.testing.assert_allclose(model.log_prior.exp().numpy(), [0.9, 0.1], rtol=1e-6)


# Labels, classes, members


def test_rows_are_split_into_labeled_and_unlabeled_ones_that_count():
    soft = np.array([[0.9, 0.1], [np.nan, np.nan], [1.0, 1.0], [0.0, 1.0], [np.nan, np.nan], [1.0, 0.0]])
    weight = np.array([2.0, 3.0, 1.0, 0.0, 0.0, 4.0])
    split = split_rows(*read_labels(soft, None, weight, soft), 0.5)
    repeated = dict.fromkeys(zip(split.labeled.tolist(), split.code.tolist(), strict=True))
    for (row, k), own in zip(repeated, split.weight, strict=True):
        repeated[row, k] = own
    assert repeated == pytest.approx({(0, 0): 1.8, (0, 1): 0.2, (5, 0): 4.0})
    assert split.unlabeled.tolist() == [1, 2]
    assert split.unlabeled_weight.tolist() == [3.0, 1.0]
    assert split.labeled_share == pytest.approx(6 / (6 + 0.5 * 4))
    assert split_rows(*read_labels(soft, None, weight, soft), 0.0).labeled_share == 1
    prior = class_prior("labeled", split)
    np.testing.assert_allclose(prior, estimated_shares(np.array([1.8 + 4.0, 0.2])))
    np.testing.assert_array_equal(class_prior("uniform", split), [0.5, 0.5])
    for wrong in ([0.5, 0.4], [1.0, 0.0], [0.2, 0.3, 0.5], "flat"):
        with pytest.raises(ParameterError, match="class_prior"):
            class_prior(wrong, split)
    with pytest.raises(LabelError, match=r"no labeled row.*weight 0"):
        split_rows(*read_labels(soft, None, np.array([0.0, 1, 1, 0, 1, 0]), soft), 1.0)


def test_a_tenth_of_the_unlabeled_rows_is_held_out():
    many = rows_to_predict(torch.zeros(35, 2), torch.ones(35, 1))._replace(y=torch.arange(35))
    labeled = many.take(slice(5))
    kept, held = hold_out(labeled, many, seed=3)
    assert len(held.unlabeled.x) == 3
    assert len(held.labeled.x) == 0
    assert sorted([*kept.y.tolist(), *held.unlabeled.y.tolist()]) == list(range(35))
    assert kept.y.tolist() == sorted(kept.y.tolist())
    assert hold_out(labeled, many, seed=4)[1].unlabeled.y.tolist() != held.unlabeled.y.tolist()
    assert len(hold_out(labeled, many.take(slice(2)), seed=3)[1].unlabeled.x) == 1


def test_members_disagree_by_the_mutual_information_of_member_and_class():
    probs = np.array([[[0.9, 0.1], [0.5, 0.5], [1.0, 0.0]], [[0.1, 0.9], [0.5, 0.5], [0.0, 1.0]]])
    np.testing.assert_allclose(entropy(probs[0]), [-0.9 * np.log(0.9) - 0.1 * np.log(0.1), np.log(2), 0])
    found = disagreement(probs)
    total, epistemic = found.total, found.epistemic
    np.testing.assert_allclose(total, np.log(2))
    divergence = [
        np.mean([np.sum(one * np.log(one / 0.5, where=one > 0, out=np.zeros(2))) for one in probs[:, i]])
        for i in range(3)
    ]
    np.testing.assert_allclose(epistemic, divergence, atol=1e-12)


@pytest.mark.parametrize(
    "estimator",
    [VAEClassifier(n_steps=5), GANClassifier(n_steps=5), FlowMixtureClassifier(n_steps=5, warmup_steps=2)],
    ids=lambda one: type(one).__name__,
)
def test_probabilities_of_any_row_sum_to_one(estimator):
    probabilities_are_finite_and_sum_to_one(estimator)
