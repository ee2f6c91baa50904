"""From names and columns to a family: what ``family="auto"``, ``"poisson"`` or ``{"age": ...}`` mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from semigen.columns import Kind, Schema
from semigen.columns.vectors import stem
from semigen.exceptions import ColumnError, ParameterError
from semigen.families.bernoulli import Bernoulli
from semigen.families.categorical import Categorical
from semigen.families.covariance import as_covariance
from semigen.families.gaussian import Gaussian
from semigen.families.multinomial import Multinomial
from semigen.families.negative_binomial import NegativeBinomial
from semigen.families.poisson import Poisson
from semigen.families.product import Product
from semigen.families.protocol import Family
from semigen.families.student_t import StudentT
from semigen.families.von_mises_fisher import VonMisesFisher

FAMILIES: dict[str, type[Family]] = {
    "gaussian": Gaussian,
    "categorical": Categorical,
    "bernoulli": Bernoulli,
    "poisson": Poisson,
    "negative_binomial": NegativeBinomial,
    "multinomial": Multinomial,
    "student_t": StudentT,
    "von_mises_fisher": VonMisesFisher,
}

WITH_COVARIANCE = (Gaussian, StudentT)
"""Families that have a covariance shape."""

FAMILY_OF_KIND: dict[Kind, str] = {
    "number": "gaussian",
    "count": "gaussian",
    "flag": "bernoulli",
    "category": "categorical",
    "text": "multinomial",
    "date": "gaussian",
}
"""What ``family="auto"`` takes for each kind of column; sparse rows are taken for documents.

Counts share the Gaussian block of the numbers, whose covariances know how columns go together: many columns
of whole numbers (pixels, grades) are correlated, which independent counts cannot be. Words of a text column
are a block of their own; a date is some numbers."""


def as_family(family: Any, covariance: Any = "full") -> Family:
    """The family of that name, with that covariance shape where it has one, or the object itself.

    Raises
    ------
    ParameterError
        If there is no such family or shape.
    """
    if isinstance(family, Family):
        return family
    shape = as_covariance(covariance)
    if isinstance(family, str) and family in FAMILIES:
        made = FAMILIES[family]
        return made(shape) if issubclass(made, WITH_COVARIANCE) else made()
    raise ParameterError(
        f"family={family!r} is not available: use 'auto', {', '.join(map(repr, FAMILIES))}, a Family, or a "
        "dict from columns or kinds of columns to these."
    )


def wanted_kinds(family: Any, covariance: Any = "full") -> Kind | dict[Any, Kind] | None:
    """What kinds a ``family`` setting wants columns to be read as; None: as they look.

    Keys of a dict that are kinds say how columns are modeled, not how they are read.
    """
    if isinstance(family, str) and family == "auto":
        return None
    if isinstance(family, Mapping):
        kinds = get_args(Kind)
        return {key: as_family(value, covariance).kind for key, value in family.items() if key not in kinds}
    return None if isinstance(family, Product) else as_family(family, covariance).kind


def choose(family: Any, covariance: Any, schema: Schema, *, sparse: bool = False) -> Family:
    """The family of a table.

    Parameters
    ----------
    family : str, Family or dict {column or kind: str or Family}
        "auto" goes by the kinds of the columns. In a dict a column's own entry comes before its kind's, and
        columns without either are as in "auto". Columns of one family form one block.
    covariance : str or Covariance
        Of Gaussian and Student-t blocks.
    schema : Schema
        The columns.
    sparse : bool, default=False
        Whether the rows are a sparse matrix.

    Raises
    ------
    ParameterError
        If a name is unknown, or a family cannot have a column of that kind.
    ColumnError
        If the family takes no sparse rows.
    """
    if isinstance(family, str) and family == "auto":
        family = "multinomial" if sparse else {}
    if not isinstance(family, Mapping):
        return _sparse_too(as_family(family, covariance), sparse)
    blocks: dict[Any, tuple[Family, list[int]]] = {}
    for j, kind in enumerate(schema.kinds):
        name = schema.source(j)
        usual: Kind = "text" if kind == "word" else kind
        lists = family.get(stem(str(name)), family.get(usual, FAMILY_OF_KIND[usual]))
        setting = family.get(name, lists)
        key: Any = setting if isinstance(setting, str) else id(setting)
        key = (key, name) if kind == "word" else key
        if key not in blocks:
            blocks[key] = (as_family(setting, covariance), [])
        one = blocks[key][0]
        if one.kind != kind and "category" in (one.kind, kind):
            raise ParameterError(
                f"column {name!r} is a {kind}, and the family {one.name!r} is one of {one.kind} columns: "
                "name the column itself in family={...}, so that it is read that way."
            )
        blocks[key][1].append(j)
    found = [(columns, one) for one, columns in blocks.values()]
    if len(found) == 1:
        return _sparse_too(found[0][1], sparse)
    return _sparse_too(Product(found), sparse)


def as_modeled(family: Family, schema: Schema) -> Schema:
    """The schema with what ``family`` models as numbers read as numbers.

    Counts and flags that a Gaussian models were whole when the model was fitted; rows to predict need not be.
    """
    blocks = family.blocks if isinstance(family, Product) else ((range(schema.n_features), family),)
    numbers = {j for columns, one in blocks if one.kind in ("number", "word") for j in columns}
    kinds = ("number" if j in numbers and kind != "word" else kind for j, kind in enumerate(schema.kinds))
    return replace(schema, kinds=tuple(kinds))


def _sparse_too(family: Family, sparse: bool) -> Family:
    if sparse and not family.takes_sparse:
        able = ", ".join(repr(name) for name, made in FAMILIES.items() if made.takes_sparse)
        raise ColumnError(
            f"X is sparse, and the family {family.name!r} takes no sparse rows: pass X.toarray(), or use "
            f"one of {able}."
        )
    return family
