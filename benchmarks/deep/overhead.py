"""What the trainer costs beside a loop that only draws rows, asks for the loss and steps."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks import environment
from semigen.deep.data import tables
from semigen.deep.data.rows import Batch, TensorRows, training_rows
from semigen.deep.training.model import Model
from semigen.deep.training.streams import Stream, Streams
from semigen.deep.training.trainer import Training, train
from semigen.deep.vae.architecture import VAEArchitecture, start_decoder

FILE = Path(__file__).resolve().parent / "results" / "overhead.json"
BATCH = 200
RATE = 1e-3
SIZES = {"M2, 64 inputs, 200-200": (64, (200, 200), 300), "M2, 784 inputs, 500-500": (784, (500, 500), 40)}
"""Inputs, hidden units and steps of a round."""


def measure(n_rounds: int) -> None:
    """Ratios of rounds that take turns, printed and saved."""
    torch.set_num_threads(1)
    ratios = {name: [_round(*size, seed) for seed in range(n_rounds)] for name, size in SIZES.items()}
    for name, found in ratios.items():
        print(f"{name}: trainer over bare loop {np.median(found):.3f}", flush=True)
    FILE.parent.mkdir(exist_ok=True)
    content = {"environment": environment.describe(), "ratios": ratios}
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _round(n_inputs: int, hidden: tuple[int, ...], n_steps: int, seed: int) -> float:
    """Processor seconds a step of the trainer over those of the loop; the first steps of both warm up."""
    labeled, unlabeled, architecture = _problem(n_inputs, hidden)

    def trainer(steps: int) -> None:
        streams = Streams(Stream(labeled, BATCH, 1), Stream(unlabeled, BATCH, 2))
        train([_model(architecture, unlabeled)], streams, Training(steps, RATE, device="cpu", seed=seed))

    def loop(steps: int) -> None:
        _bare(_model(architecture, unlabeled), labeled, unlabeled, steps)

    runs = (trainer, loop) if seed % 2 else (loop, trainer)
    seconds = {run: -_seconds(run, 2) for run in runs}
    for run in runs:
        seconds[run] += _seconds(run, 2 + n_steps)
    return seconds[trainer] / seconds[loop]


def _seconds(run: object, steps: int) -> float:
    begin = time.process_time()
    run(steps)  # type: ignore[operator]
    return time.process_time() - begin


def _bare(model: Model, labeled: TensorRows, unlabeled: TensorRows, n_steps: int) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    model.train()
    for step in range(n_steps):
        batch = Batch(_some(labeled), _some(unlabeled))
        optimizer.zero_grad(set_to_none=True)
        loss: Tensor = model.loss(batch, step, "bound").loss
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _some(rows: TensorRows) -> TensorRows:
    return rows.take(torch.randint(len(rows.x), (min(BATCH, len(rows.x)),)))


def _model(architecture: VAEArchitecture, rows: TensorRows) -> Model:
    torch.manual_seed(0)
    model = architecture.build()
    start_decoder(model, rows)
    return model


def _problem(n_inputs: int, hidden: tuple[int, ...]) -> tuple[TensorRows, TensorRows, VAEArchitecture]:
    """Random rows from 0 to 1 of ten classes, 100 of them labeled."""
    rng = np.random.default_rng(0)
    table, matrix = tables.learn(rng.random((2000, n_inputs)), "bernoulli")
    log_prior = np.full(10, -np.log(10))
    architecture = VAEArchitecture(table, 20, hidden, "mlp", None, log_prior, labeled_share=0.05, alpha=1.0)
    labeled = training_rows(table, matrix, np.arange(100), np.arange(100) % 10)
    return labeled, training_rows(table, matrix, np.arange(100, len(matrix))), architecture
