"""Model files of older versions: what their structure is now.

A payload names the module and class of everything it holds; ``former_names`` has what these are called now.
:func:`finish` gives the model that was read the structure that models have now. So every version loads the
files of all versions before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from semigen.arrays.special import NormalScores
from semigen.comparison import Verdict, judge
from semigen.data.labels import class_columns
from semigen.estimators.adapters import takes_unlabeled
from semigen.evaluation.calibration import Calibration
from semigen.io.former_names import FORMS, MODELS, OldForm

FORMAT = 6
"""Format of the files that are written now. 1: semigen 0.1, before modules moved. 2: semigen 0.2, where
models inside others knew classes by name, columns were all of the matrix, mixtures' posteriors had no power,
and ensembles left class priors in their models' probabilities. 3: mixtures' posteriors had one power. 4: the
supervised models of an ensemble had no share of their own. 5: indicators of levels were scaled, and a column
without a value was an error."""


def finish(model: Any, version: int) -> Any:
    """The model that was read from a file of format ``version``, in today's structure."""
    for older in range(version, FORMAT):
        for one in parts_of(model):
            step = STEPS[older].get(type(one).__name__)
            if step is not None:
                step(one)
    for one in parts_of(model):
        if version < FORMAT:
            _add_defaults(one)
    return model


def parts_of(model: Any) -> list[Any]:
    """Every object of semigen or scikit-learn in a model, the parts of an object before the object."""
    found: dict[int, Any] = {}
    seen: set[int] = set()

    def visit(value: Any) -> None:
        if id(value) in seen:
            return
        seen.add(id(value))
        if isinstance(value, Mapping):
            parts = list(value.values())
        elif isinstance(value, list | tuple):
            parts = list(value)
        elif type(value).__module__.startswith(("semigen.", "sklearn.")):
            parts = list(vars(value).values()) if hasattr(value, "__dict__") else []
            found[id(value)] = value
        else:
            return
        for part in parts:
            visit(part)
        if id(value) in found:
            found[id(value)] = found.pop(id(value))

    visit(model)
    return list(found.values())


def _set(record: Any, **values: Any) -> None:
    """Set attributes of an object, frozen or not."""
    for name, value in values.items():
        object.__setattr__(record, name, value)


def _provenance(record: Any) -> None:
    _set(record, n_labeled=None, n_unlabeled=None, random_state=None)


def _held_out(record: Any) -> None:
    """The class shares of format 1 are those of the other folds: of further labeled rows nothing is known."""
    _provenance(record)
    n_classes = record.log_probs.shape[2]
    shares = np.full((len(record.rows), n_classes), 1 / n_classes)
    for fold in np.unique(record.fold):
        mine = record.fold == fold
        count = np.bincount(record.code[~mine], record.weight[~mine], minlength=n_classes)
        if count.any():
            shares[mine] = count / count.sum()
    _set(record, class_shares=shares)


def _scores_alone(record: Any) -> None:
    _set(record, probabilities=None, row_briers=None)


def _zero_line(comparison: Any, held_out: Any) -> None:
    """The class shares as a further entry of a comparison."""
    if comparison is not None:
        zero = held_out.validation({})
        _set(
            comparison,
            correct={**comparison.correct, **zero.correct},
            row_losses={**comparison.row_losses, **zero.row_losses},
        )


def _pool(model: Any) -> None:
    """A hybrid of a form and a classifier becomes the two."""
    model.forms_ = {}
    for name, one in model.estimators_.items():
        form = getattr(one, "representation_", None)
        model.forms_[name] = FORMS.get(form.name, form.name) if isinstance(form, OldForm) else None
    model.estimators = [
        (
            name,
            model.forms_.get(name, FORMS.get(one.representation.name, one.representation.name)),
            one.classifier,
        )
        if isinstance(getattr(one, "representation", None), OldForm)
        else (name, one)
        for name, one in model.estimators
    ]
    model.estimators_ = {
        name: one.classifier_ if model.forms_[name] else one for name, one in model.estimators_.items()
    }
    _zero_line(model.validation_, model.held_out_)


def _auto(model: Any) -> None:
    """The names of the models, and the verdict, as if some row were unlabeled: the file does not say."""
    model.engine = None
    pool = model.pool_
    pool.estimators = [(MODELS.get(name, name), *rest) for name, *rest in pool.estimators]
    for owner, names in ((pool, ("weights", "estimators_", "forms_", "weights_")), (model, ("weights_",))):
        for name in names:
            setattr(owner, name, _with_names(getattr(owner, name)))
    for one in {id(one): one for one in (*pool.models_, *model.models_)}.values():
        _set(one, name=MODELS.get(one.name, one.name))
    for comparison in (pool.validation_, model.validation_):
        if comparison is not None:
            _set(
                comparison,
                names=tuple(MODELS.get(name, name) for name in comparison.names),
                correct=_with_names(comparison.correct),
                row_losses=_with_names(comparison.row_losses),
            )
    _zero_line(model.validation_, pool.held_out_)
    model.verdict_ = judge(
        model.validation_, MODELS["all members"], MODELS["supervised members"], n_unlabeled=1
    )


def _with_names(values: Mapping[str, Any]) -> dict[str, Any]:
    return {MODELS.get(name, name): value for name, value in values.items()}


def _no_engine(model: Any) -> None:
    model.engine = None


def _no_floor(shape: Any) -> None:
    shape.floor = 0.0


def _safe(model: Any) -> None:
    model.comparison_, model.verdict_ = None, Verdict("not compared")


def _uniform_evidence(record: Any) -> None:
    n_classes = record.log_probs.shape[2]
    _set(record, evidence=record.log_probs, log_prior=np.full(record.class_shares.shape, -np.log(n_classes)))


def _uniform_priors(model: Any) -> None:
    """Probabilities were multiplied as they are, which is what equal priors of all models come to."""
    uniform = np.full(len(model.classes_), 1 / len(model.classes_))
    vars(model).pop("balance", None)
    model.class_prior = "shared"
    model.class_prior_, model.priors_ = uniform, dict.fromkeys(model.estimators_, uniform)


def _add_defaults(one: Any) -> None:
    """Parameters of an estimator and fields of a record that the version of the file did not have."""
    if is_dataclass(one):
        defaults = {field.name: field.default for field in fields(one) if field.default is not MISSING}
    elif isinstance(one, BaseEstimator):
        parameters = signature(type(one)).parameters.items()
        defaults = {name: value.default for name, value in parameters if value.default is not value.empty}
    else:
        return
    _set(one, **{name: value for name, value in defaults.items() if name not in vars(one)})


def _node_values(model: Any) -> None:
    if "proba_" in vars(model):  # it is fitted
        model.value_ = vars(model).pop("proba_")


def _uniform_prior(model: Any) -> None:
    model.class_prior, model.class_prior_ = "shared", model.pool_.class_prior_


def _own_posterior(model: Any) -> None:
    """Probabilities are those of the model itself, λ is the parameter, and EM is not accelerated."""
    model.calibrate = 1.0
    vars(model)["posterior_power_"] = 1.0
    model.unlabeled_weight_ = float(model.unlabeled_weight)
    model.acceleration = model.checkpoint = None


def _one_power(model: Any) -> None:
    """The posterior of a mixture has one power, its class shares among them."""
    power = vars(model).pop("posterior_power_", None)
    if power is not None and hasattr(model, "params_"):
        model.calibration_ = Calibration.of_posterior(power, model.class_prior_)


def _none_silent(model: Any) -> None:
    """A column without a value was an error."""
    if hasattr(model, "params_"):
        model.silent_columns_ = np.empty(0, dtype=np.intp)


def _coded_pool(model: Any) -> None:
    if hasattr(model, "classes_"):
        for one in model.estimators_.values():
            _coded(one, model.classes_)


def _coded_hybrid(model: Any) -> None:
    if hasattr(model, "classes_"):
        _coded(model.classifier_, model.classes_)


def _coded(model: Any, classes: Any) -> None:
    """The classes of a model inside another become numbers, unless it takes unlabeled rows."""
    own = getattr(model, "classes_", None)
    if own is None or takes_unlabeled(model):
        return
    while hasattr(model, "steps"):  # a pipeline has the classes of its last step
        model = model.steps[-1][1]
    model.classes_ = class_columns(np.asarray(own), classes)


def _own_scales(model: Any) -> None:
    model.shared_scale = False


def _plain_columns(model: Any) -> None:
    _own_scales(model)
    if hasattr(model, "scale_"):
        model.share_ = np.ones_like(model.scale_)
        columns = [(one.values, one.at, one.between) for one in model.scores_]
        model.scores_ = NormalScores.joined(columns) if columns else None


def _scaled_indicators(model: Any) -> None:
    model.equal_columns = True


def _all_as_they_are(schema: Any) -> None:
    _set(schema, encoded=(), notes=())


def _unseen(model: Any) -> None:
    if hasattr(model, "pool_"):
        model.class_rows_ = model.n_unlabeled_ = model.log_densities_ = None


def _as_networks_say(model: Any) -> None:
    """Probabilities are those of the networks, and λ is the parameter."""
    model.calibrate = 1.0
    if hasattr(model, "classes_"):
        model.calibration_ = Calibration.at(1.0, np.full(len(model.classes_), 1 / len(model.classes_)))
        model.unlabeled_weight_ = float(model.unlabeled_weight)
        model.comparison_, model.verdict_ = None, Verdict("not compared")


def _flow(model: Any) -> None:
    _as_networks_say(model)
    if hasattr(model, "classes_"):
        model.start_ = model.start


def _from_labels(model: Any) -> None:
    """Nothing was guessed of unlabeled rows."""
    _as_networks_say(model)
    model.start = "labels"
    if hasattr(model, "classes_"):
        model.start_ = "labels"


def _unscaled(model: Any) -> None:
    """Features were the posterior means as they are."""
    if hasattr(model, "active_"):
        model.scale_ = np.ones_like(model.kl_)


def _older_ensemble(model: Any) -> None:
    model.deep, model.deep_standing_ = False, None
    _own_scales(model)
    _unseen(model)
    _uniform_prior(model)


def _no_share(model: Any) -> None:
    """Models that use unlabeled rows were in the ensemble, or not."""
    if hasattr(model, "unlabeled_used_"):
        model.supervised_share_ = model.pool_.supervised_share_ = 0.0 if model.unlabeled_used_ else 1.0
        model.agreement_ = None


def _scale_as_asked(model: Any) -> None:
    if hasattr(model, "pool_") or hasattr(model, "views_"):
        model.shared_scale_ = bool(model.shared_scale)


def _all_there(model: Any) -> None:
    """The file does not say whether a time budget left anything out."""
    if any(name.endswith("_") for name in vars(model)):  # it is fitted
        model.stopped_early_ = False


def _older_mixtures(model: Any) -> None:
    _all_there(model)
    _own_scales(model)


def _older_pool(model: Any) -> None:
    _all_there(model)
    _coded_pool(model)
    _uniform_priors(model)


STEPS: Mapping[int, Mapping[str, Callable[[Any], None]]] = {
    1: {
        "AutoClassifier": _auto,
        "Comparison": _provenance,
        "HeldOut": _held_out,
        "MixtureClassifier": _no_engine,
        "MixtureEnsembleFeatures": _no_engine,
        "PoolClassifier": _pool,
        "PrincipalAxes": _no_engine,
        "SafeClassifier": _safe,
    },
    2: {
        "AutoClassifier": _older_ensemble,
        "Comparison": _scores_alone,
        "Diag": _no_floor,
        "FlowMixtureClassifier": _flow,
        "GANClassifier": _from_labels,
        "HeldOut": _uniform_evidence,
        "HybridClassifier": _coded_hybrid,
        "MixtureClassifier": _own_posterior,
        "MixtureEnsembleFeatures": _older_mixtures,
        "PlainColumns": _plain_columns,
        "PrincipalAxes": _own_scales,
        "PoolClassifier": _older_pool,
        "Schema": _all_as_they_are,
        "TiedDiag": _no_floor,
        "TreeEnsemble": _node_values,
        "VAEClassifier": _from_labels,
        "VAEFeatures": _unscaled,
    },
    3: {"MixtureClassifier": _one_power},
    4: {"AutoClassifier": _no_share},
    5: {
        "AutoClassifier": _scale_as_asked,
        "MixtureClassifier": _none_silent,
        "MixtureEnsembleFeatures": _scale_as_asked,
        "PlainColumns": _scaled_indicators,
    },
}
"""What :func:`finish` does to objects of each older format, by the name of their class, to make them those of
the next one."""
