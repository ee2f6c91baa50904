"""``python -m benchmarks.speed.banks``: label-free mixtures, one by one on threads and in batches on PyTorch.

On a machine with a GPU: ``python -m benchmarks.speed.banks --rows 10000 --mixtures 48 --device cuda``.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from semigen import MixtureEnsembleFeatures
from semigen.engines import TorchEngine


def main() -> None:
    """Fit in turns, and print seconds, their ratio and the largest difference of a feature."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.banks", description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--mixtures", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of both")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(3, options.features))
    x = centers[rng.integers(3, size=options.rows)] + rng.normal(size=(options.rows, options.features))
    x[:, 0] = np.exp(x[:, 0])
    engines = {"threads": None, "PyTorch": TorchEngine(options.device)}
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in engines}
    found = {}
    for _ in range(options.rounds):
        for name, engine in engines.items():
            features = MixtureEnsembleFeatures(options.mixtures, n_jobs=options.threads, engine=engine)
            wall, own = time.perf_counter(), time.process_time()
            found[name] = features.fit(x)
            spent[name].append((time.perf_counter() - wall, time.process_time() - own))
    seconds = {name: np.array(one) for name, one in spent.items()}
    for name, one in seconds.items():
        wall, own = np.median(one / seconds["threads"], axis=0)
        least, own_least = one.min(axis=0)
        print(f"{name}: {least:.2f} s, {own_least:.2f} of a processor; ratio {wall:.2f}, {own:.2f}")
    one, other = (model.transform(x) for model in found.values())
    print(f"largest difference of a feature: {np.abs(one - other).max():.0e}")


if __name__ == "__main__":
    main()
