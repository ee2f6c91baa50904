"""What M2 generates: new rows, rows as the model sees them, and rows as if they were of another class."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from semigen import columns
from semigen.columns import Schema
from semigen.common import checks
from semigen.deep.data.rows import Rows, TensorRows
from semigen.deep.draws import class_index, draw_classes, drawing
from semigen.deep.fitted import Networks


class Generation:
    """The part of a fitted M2 that generates rows."""

    features: Any
    features_: Any
    networks_: Networks
    schema_: Schema
    classes_: NDArray[Any]

    @property
    def class_prior_(self) -> NDArray[np.float64]:
        """p(y), (K,)."""
        raise NotImplementedError

    def _rows(self, X: Any) -> Rows:
        raise NotImplementedError

    def sample(
        self, n: int = 1, y: Any = None, random_state: Any = None, *, expected: bool = False
    ) -> tuple[Any, NDArray[Any]]:
        """Draw rows from the model.

        Parameters
        ----------
        n : int, default=1
        y : class or None
            Class of the rows; None: draw classes from ``class_prior_``.
        random_state : int, RandomState or None
        expected : bool, default=False
            Draw the class and the latents only, and return the expected values given them: gray images
            instead of black and white ones. Such rows vary less than those of the table.

        Returns
        -------
        X : ndarray or data frame of shape (n, D)
        y : ndarray of shape (n,)
        """
        check_is_fitted(self)
        checks.integer("n", n, minimum=1)
        with drawing(random_state):
            code = draw_classes(n, y, self.classes_, self.class_prior_)
            rows = self.networks_.draw(
                n, lambda model, which: model.sample(len(which), code[which], expected=expected)
            )
            drawn = self._restored(rows, expected=expected)
        return drawn, self.classes_[code.numpy()]

    def reconstruct(self, X: Any) -> Any:
        """Expected rows given their most probable class and the posterior mean of z: a table like X.

        Of several members, the first is used.
        """
        return self._decoded(X, None)

    def transfer(self, X: Any, y: Any) -> Any:
        """Expected rows given class ``y`` and the posterior mean of z in their own class: a table like X.

        Of several members, the first is used.
        """
        check_is_fitted(self)
        return self._decoded(X, class_index(self.classes_, y))

    def _restored(self, x: Tensor, *, expected: bool = True) -> Any:
        """A table like X from its tensors or, with ``features``, expected or drawn given those."""
        matrix = self.networks_.architecture.table.matrix(x)
        if self.features is None:
            return columns.restore(self.schema_, matrix)
        if not expected and hasattr(self.features_, "draw"):
            return self.features_.draw(matrix, int(torch.randint(2**31, ())))
        return self.features_.inverse_transform(matrix)

    def _decoded(self, X: Any, code: int | None) -> Any:
        """Mean of p(x | y, z) of the first member, at the posterior mean of z given the row's own class."""
        rows = self._rows(X)
        model: Any = self.networks_.models[0]

        def decoded(block: TensorRows) -> Tensor:
            seen = model.look(block)
            own = model.log_q(seen).argmax(dim=-1)
            wanted = own if code is None else torch.full_like(own, code)
            latents = model.to_decode(model.encoder(seen, own)[0], wanted)
            mean: Tensor = model.likelihood.mean(model.decoder(latents, wanted))
            return mean

        return self._restored(self.networks_.ask(rows, decoded))
