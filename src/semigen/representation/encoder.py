"""Features from an encoder that was trained elsewhere."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from semigen.data.rows import count_rows
from semigen.exceptions import ColumnError, ParameterError


class EncoderFeatures(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Embeddings by a model that is trained already: with ``encode`` or ``transform``, or a function.

    Fits nothing. For ``HybridClassifier(EncoderFeatures(encoder), classifier)``, with the rows that the
    encoder takes: a list of texts for sentence-transformers, an array of images for a network of timm or
    torchvision.

    Parameters
    ----------
    encoder : object with ``encode(rows)`` or ``transform(rows)``, or callable
        Returns (n, d) numbers as an array or a PyTorch tensor. It is not copied, and :func:`semigen.save`
        refuses it.
    unit_length : bool, default=False
        Whether embeddings are scaled to length 1, as a von Mises–Fisher mixture wants them.
    batch_size : int, default=256
        Rows that the encoder is given at once.

    Examples
    --------
    >>> from semigen.representation import EncoderFeatures
    >>> lengths = EncoderFeatures(lambda texts: [[len(text), text.count(" ")] for text in texts])
    >>> lengths.fit_transform(["a b", "abc"]).tolist()
    [[3.0, 1.0], [3.0, 0.0]]
    """

    def __init__(self, encoder: Any, *, unit_length: bool = False, batch_size: int = 256) -> None:
        self.encoder = encoder
        self.unit_length = unit_length
        self.batch_size = batch_size

    def __sklearn_clone__(self) -> EncoderFeatures:
        """The same: there is nothing to fit, and a network is large."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check that the encoder is one.

        Raises
        ------
        ParameterError
        """
        self._encode()
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Embeddings of rows, (n, d), float64 or float32.

        Raises
        ------
        ParameterError
            If the encoder is none.
        ColumnError
            If it cannot take the rows, or what it returns is not (n, d) finite numbers.
        """
        encode, n_rows = self._encode(), count_rows(X)
        starts = range(0, max(n_rows, 1), self.batch_size)
        found = np.concatenate([self._checked(encode, X[i : i + self.batch_size]) for i in starts])
        if not self.unit_length:
            return found
        length = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.where(length > 0, length, 1.0))

    def _encode(self) -> Any:
        for name in ("encode", "transform"):
            if callable(getattr(self.encoder, name, None)):
                return getattr(self.encoder, name)
        if callable(self.encoder):
            return self.encoder
        raise ParameterError(
            f"encoder={self.encoder!r:.80}: use an object with encode(rows) or transform(rows), or a "
            "function; it has to return (n, d) numbers."
        )

    def _checked(self, encode: Any, rows: Any) -> NDArray[Any]:
        try:
            found = encode(rows)
        except (AttributeError, TypeError) as error:
            raise ColumnError(
                f"the encoder failed on {count_rows(rows)} rows, a {type(rows).__name__} ({error}).",
                "It is given rows as they are in X: for a network of PyTorch pass a function, such as "
                "torch.no_grad()(lambda rows: network(torch.from_numpy(rows))).",
            ) from error
        if hasattr(found, "detach"):  # a tensor of PyTorch
            found = found.detach().cpu()
        values = np.asarray(found)
        if values.dtype.kind not in "fiu" or values.ndim != 2 or len(values) != count_rows(rows):
            raise ColumnError(
                f"the encoder returned {values.dtype} of shape {values.shape} for {count_rows(rows)} rows: "
                "(n, d) numbers are needed, one row for each."
            )
        if not np.isfinite(values).all():
            raise ColumnError("the encoder returned NaN or infinity: look at the rows that it was given.")
        return values if values.dtype == np.float32 else values.astype(np.float64)
