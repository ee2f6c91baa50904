"""Comparisons and forecasts as figures of matplotlib."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from semigen.comparison import Comparison
from semigen.exceptions import MissingExtraError, ParameterError
from semigen.judgement.forecast import Forecast

FORECAST_TIMES = 8.0
"""Times as many labels, up to where curves are drawn."""
_MEASURES = {
    "log_loss": "log-loss, nats per row",
    "accuracy": "accuracy",
    "brier": "Brier score",
}


def plot(
    record: Comparison | Forecast,
    ax: Any = None,
    *,
    measure: Literal["log_loss", "accuracy", "brier"] = "log_loss",
) -> Any:
    """Draw a comparison or a forecast; matplotlib must be installed (extra ``report``).

    Parameters
    ----------
    record : Comparison or Forecast
        A comparison: the scores with their 95 % intervals, the best on top. A forecast: the measured errors
        and the curves through them, with the 95 % interval of the best model, over the number of labels.
    ax : matplotlib axes, optional
        Where to draw; None: a new figure.
    measure : {"log_loss", "accuracy", "brier"}, default="log_loss"
        Of a comparison.

    Returns
    -------
    matplotlib axes

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ParameterError
        If ``record`` is neither, or has no such measure.
    """
    if not isinstance(record, Comparison | Forecast):
        raise ParameterError(
            f"there is no figure of a {type(record).__name__}: give what compare or forecast returned."
        )
    if isinstance(record, Comparison):
        if measure not in _MEASURES or (measure == "brier" and record.row_briers is None):
            raise ParameterError(f"the comparison has no measure {measure!r}.")
        return _draw_comparison(record, _axes(ax, 0.4 * len(record.correct) + 1), measure)
    return _draw_forecast(record, _axes(ax, 4.0))


def _axes(ax: Any, height: float) -> Any:
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError(
            'figures need matplotlib, which is not installed: pip install "semigen[report]".'
        ) from error
    return pyplot.subplots(figsize=(7, height), layout="constrained")[1]


def _draw_comparison(comparison: Comparison, ax: Any, measure: str) -> Any:
    def estimate(name: str) -> Any:
        return comparison.brier(name) if measure == "brier" else getattr(comparison.score(name), measure)

    names = sorted(comparison.correct, key=lambda name: estimate(name).value, reverse=measure != "accuracy")
    found = [estimate(name) for name in names]
    value = np.array([one.value for one in found])
    apart = np.abs(np.array([[one.low, one.high] for one in found]).T - value)
    ax.errorbar(value, np.arange(len(names)), xerr=apart, fmt="o", capsize=3, color="tab:blue")
    ax.set_yticks(np.arange(len(names)), names, parse_math=False)
    ax.set_xlabel(f"{_MEASURES[measure]} ({len(comparison.rows)} held-out rows, 95 % intervals)")
    return ax


def _draw_forecast(forecast: Forecast, ax: Any) -> Any:
    n = forecast.n_labeled * np.geomspace(0.2, FORECAST_TIMES, 50)
    for i, curve in enumerate(forecast.curves):
        color = f"C{i}"
        measured = (curve.n_labels, [one.value for one in curve.error])
        ax.plot(*measured, "o" if curve.name in forecast.told else "o-", color=color, label=curve.name)
        if curve.name not in forecast.told:  # a line would seem to say who overtakes whom
            continue
        found = [forecast.at(curve.name, one) for one in n]
        ax.plot(n, [one.value for one in found], color=color)
        if curve.name == forecast.best:
            ax.fill_between(
                n, [one.low for one in found], [one.high for one in found], color=color, alpha=0.15, lw=0
            )
    ax.axvline(forecast.n_labeled, color="gray", lw=0.8, ls=":")
    ax.set_xscale("log")
    ax.set_xlabel("labeled rows (dotted: those there are)")
    ax.set_ylabel("error on new rows")
    ax.legend(frameon=False)
    return ax
