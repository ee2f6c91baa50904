"""MNIST with 100 labels on a graphics card in twelve minutes.

``python -m benchmarks.deep.gpu --data FILE --out FILE``. Ten draws of labels are trained as the ten members
of one batched pass: they share the images and have labels of their own. Each method has a share of the
seconds. Its number of steps follows from the speed of its first ones, and is written down. One M1 serves all
draws, as it sees no labels. Figures are written after each method, and one that fails leaves the others be.

Without a card ``--seconds 5 --images 2000 --draws 2 --trial-steps 2 --device cpu`` shows that it works.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.deep.problems import VARIABLE, mnist
from semigen.deep.data import tables
from semigen.deep.data.rows import TensorRows, rows_to_predict, training_rows
from semigen.deep.draws import mix
from semigen.deep.fitted import Networks
from semigen.deep.gan.model import GANArchitecture
from semigen.deep.training.streams import Stream, Streams
from semigen.deep.training.trainer import Training, train
from semigen.deep.vae.architecture import VAEArchitecture, start_decoder

SHARES = {"M1": 0.12, "M1+M2": 0.18, "M2": 0.25, "GAN": 0.25, "GAN, resnet": 0.12}
"""Of the seconds; the rest is for loading and predicting."""
PARTS = (("M1", "M1+M2"), ("M2",), ("GAN",), ("GAN, resnet",))
"""What shares a process. After an error a card is of no use to the process that met it, only to others."""
START_SECONDS, LATEST = 90.0, 1.2
"""A process is ended after so many seconds, and so many times those of its methods."""
K = 10


@dataclass(frozen=True)
class Labels:
    """The labeled rows of each member, all in every batch, as :class:`Stream` has them for one draw."""

    rows: TensorRows

    def batches(self, step: int) -> Iterator[TensorRows]:
        """The same rows for ever."""
        while True:
            yield self.rows


class Draws(Streams):
    """Labeled rows of each member beside a common stream of unlabeled ones, in one process."""

    def shared(self, part: int, n_parts: int) -> Streams:
        """There is one process."""
        return self


def main() -> None:
    """Train and judge each method, and write the figures after each."""
    options = _options()
    if options.data is not None:
        os.environ[VARIABLE] = str(options.data)
    wanted = options.methods or list(SHARES)
    options.out.write_text(
        json.dumps({"device": _device_name(options.device), "seconds": options.seconds}), "utf-8"
    )
    for part in PARTS:
        names = [name for name in part if name in wanted or (name == "M1" and "M1+M2" in wanted)]
        if not names:
            continue
        process = get_context("spawn").Process(target=_measure, args=(names, options))
        process.start()
        process.join(START_SECONDS + LATEST * options.seconds * sum(SHARES[name] for name in names))
        if process.is_alive():
            process.kill()
            process.join()
        if process.exitcode:
            found = json.loads(options.out.read_text("utf-8"))
            left = {
                name: {"failed": f"exit status {process.exitcode}"} for name in names if name not in found
            }
            _write(options.out, left)


def _measure(names: list[str], options: argparse.Namespace) -> None:
    """The methods of one process, one after the other."""
    torch.set_float32_matmul_precision("high")
    problem, features = _Problem(options), None
    for name in names:
        begin = time.perf_counter()
        features, entry = problem.run(name, SHARES[name] * options.seconds, features)
        _write(options.out, {name: {**entry, "seconds": round(time.perf_counter() - begin, 1)}})


def _write(path: Path, entries: dict[str, Any]) -> None:
    """Add figures to those in the file."""
    print(entries, flush=True)
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **entries}, indent=1), "utf-8")


class _Problem:
    """The images on the device, the labels of all draws, and the methods."""

    def __init__(self, options: argparse.Namespace) -> None:
        draws = [mnist(10, seed) for seed in range(options.first_draw, options.first_draw + options.draws)]
        labels = np.stack([draw.y for draw in draws])
        kept = np.linspace(0, labels.shape[1] - 1, options.images).astype(np.intp)
        kept = np.union1d(kept, np.flatnonzero((labels >= 0).any(axis=0)))
        self.X, self.X_test, self.y_test = draws[0].X[kept], draws[0].X_test, draws[0].y_test
        self.options, self.n_draws = options, options.draws
        labels = labels[:, kept]
        self.labeled = np.stack([np.flatnonzero(one >= 0) for one in labels])
        self.code = np.stack([own[rows] for own, rows in zip(labels, self.labeled, strict=True)])
        self.table, self.matrix = tables.learn(self.X, "bernoulli")
        self.device = "cuda" if options.device == "auto" and torch.cuda.is_available() else "cpu"

    def run(self, name: str, seconds: float, features: Any) -> tuple[Any, dict[str, Any]]:
        """Train a method for about so many seconds; features of M1, and figures."""
        if name == "M1":
            architecture = self._vae(0, n_latent=50, hidden=(600, 600))
            rows = self._rows(self.table, self.matrix)
            networks, entry = self._trained(architecture, rows, None, 1, seconds, 3e-4)
            return networks, entry
        if name == "M1+M2":
            return features, self._m1_m2(features, seconds)
        if name == "M2":
            architecture = self._vae(K, n_latent=50, hidden=(600, 600), alpha=50.0)
            rows = self._rows(self.table, self.matrix)
            return features, self._judged(architecture, rows, seconds, 3e-4, self.X_test)
        return features, self._gan(name, seconds)

    def _m1_m2(self, m1: Networks, seconds: float) -> dict[str, Any]:
        mean, sd, of_test = *self._posterior(m1, self.X), self._posterior(m1, self.X_test)[0]
        active = mean.std(axis=0) > 0.1
        active |= not active.any()  # after a trial of few steps
        mean, sd, of_test = mean[:, active], sd[:, active], of_test[:, active]
        table, matrix = tables.learn(mean, "gaussian")
        table = replace(table, scale=np.sqrt(mean.var(axis=0) + np.mean(sd**2, axis=0)))
        architecture = self._vae(K, table=table, n_latent=10, hidden=(500,), alpha=1.0)
        entry = self._judged(architecture, self._rows(table, matrix, sd), seconds, 3e-4, of_test)
        return {"n_features": int(active.sum()), **entry}

    def _gan(self, name: str, seconds: float) -> dict[str, Any]:
        residual = name.endswith("resnet")
        table = replace(self.table, input_center=np.zeros(784), input_scale=np.ones(784))
        architecture = GANArchitecture(
            table,
            (True,) * 784,
            np.zeros(K),
            hidden=(250,) if residual else (1000, 500, 250, 250, 250),
            generator_hidden=(500, 500),
            n_latent=100,
            n_generated=100,
            input_noise=0.3,
            hidden_noise=0.5,
            alpha=1.0,
            entropy_weight=0.0,
            pull_away_weight=0.0,
            image_shape=(1, 28, 28) if residual else None,
            network="resnet" if residual else "conv",
            augment="shift" if residual else None,
        )
        rows = self._rows(table, self.matrix)
        return self._judged(architecture, rows, seconds, 1e-3 if residual else 3e-3, self.X_test, size=100)

    def _vae(self, n_classes: int, table: Any = None, **options: Any) -> VAEArchitecture:
        log_prior = np.full(n_classes, -math.log(max(n_classes, 1)))
        share = self.labeled.shape[1] / len(self.X)
        known = {"network": "mlp", "image_shape": None, "log_prior": log_prior, "labeled_share": share}
        return VAEArchitecture(table or self.table, **known, **options)

    def _rows(self, table: Any, matrix: Any, sd: Any = None) -> TensorRows:
        rows = training_rows(table, matrix, np.arange(len(matrix)), None, None, sd)
        return TensorRows(*(one.to(self.device) for one in rows.take(slice(None))))

    def _judged(
        self, architecture: Any, rows: TensorRows, seconds: float, rate: float, test: Any, size: int = 200
    ) -> dict[str, Any]:
        networks, entry = self._trained(architecture, rows, self.labeled, self.n_draws, seconds, rate, size)
        table = architecture.table
        errors = []
        for own in networks.models:
            model, right = own.float().to(self.device), 0
            for i in range(0, len(test), 2000):
                tensors = (one.float().to(self.device) for one in table.tensors(test[i : i + 2000]))
                block = rows_to_predict(*tensors)
                with torch.no_grad():
                    if isinstance(architecture, GANArchitecture):
                        scores = model.log_probs(block)
                    else:
                        scores = model.log_q(model.look(block))
                right += int((scores.argmax(dim=1).cpu().numpy() == self.y_test[i : i + 2000]).sum())
            errors.append(round(100 - 100 * right / len(test), 2))
        return {"error": round(float(np.mean(errors)), 2), "errors": errors, **entry}

    def _trained(
        self,
        architecture: Any,
        rows: TensorRows,
        labeled: Any,
        n_members: int,
        seconds: float,
        rate: float,
        size: int = 200,
    ) -> tuple[Networks, dict[str, Any]]:
        """A trial of few steps for the speed, then as many steps as the seconds allow."""
        if labeled is None:
            of_labels: Any = Stream(rows.take(slice(0)), size, 1, n_members)
        else:
            own = rows.take(torch.from_numpy(labeled))
            of_labels = Labels(own._replace(y=torch.from_numpy(self.code).long().to(self.device)))
        trial = self.options.trial_steps
        streams = Draws(of_labels, Stream(rows, size, 2, n_members))
        training = Training(
            n_steps=trial, learning_rate=rate, weight_average=0.9999, device=self.device, n_rounds=4
        )
        first = rows.take(slice(2000))
        start = self._start(architecture, TensorRows(*(one.cpu() for one in first)))
        train(start(n_members), streams, training)  # loads libraries and kernels
        begin = time.perf_counter()
        train(start(n_members), streams, training)
        speed = trial / (time.perf_counter() - begin)
        n_steps = max(trial, int(speed * seconds * 0.9))
        trained = train(start(n_members), streams, replace(training, n_steps=n_steps, n_rounds=20))
        last = {name: round(values[-1], 3) for name, values in trained.history.items()}
        states = trained.states
        if isinstance(architecture, GANArchitecture):
            states = self._calibrated(architecture, states)
        about = {"n_steps": trained.n_steps, "steps_per_second": round(speed, 1), "outcome": trained.outcome}
        return Networks.of(architecture, states), {**about, "last": last}

    def _start(self, architecture: Any, first: TensorRows) -> Callable[[int], list[Any]]:
        def models(n: int) -> list[Any]:
            made = []
            for m in range(n):
                torch.manual_seed(mix(self.options.first_draw, m) % 2**62)
                model = architecture.build()
                if isinstance(architecture, GANArchitecture):
                    model.start(first.x, first.mask)
                else:
                    start_decoder(model, first)
                made.append(model.float())
            return made

        return models

    def _calibrated(self, architecture: GANArchitecture, states: list[dict[str, Tensor]]) -> Any:
        found = []
        for state in states:
            model = architecture.build()
            model.load_state_dict(state)
            model.calibrate()
            found.append({name: value.detach() for name, value in model.state_dict().items()})
        return found

    def _posterior(self, m1: Networks, X: Any) -> tuple[Any, Any]:
        model, both = m1.models[0], []
        for i in range(0, len(X), 5000):
            x, mask = self.table.tensors(X[i : i + 5000])
            with torch.no_grad():
                mean, log_sd = model.encoder(model.look(rows_to_predict(x, mask)))
            both.append((mean.numpy(), log_sd.exp().numpy()))
        return tuple(np.concatenate(one) for one in zip(*both, strict=True))  # type: ignore[return-value]


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "auto" and torch.cuda.is_available() else "cpu"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deep.gpu", description=__doc__)
    parser.add_argument("--data", type=Path, help="mnist.npz, or its folder")
    parser.add_argument("--out", type=Path, required=True, help="JSON file of figures")
    parser.add_argument("--seconds", type=float, default=660, help="for all methods")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--first-draw", type=int, default=0)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--trial-steps", type=int, default=60, help="that the speed is told from")
    parser.add_argument("--methods", nargs="*", default=[], choices=list(SHARES))
    parser.add_argument("--device", choices=["auto", "cpu"], default="auto")
    return parser.parse_args()


if __name__ == "__main__":
    main()
