"""One training loop for every deep model, on Hugging Face accelerate.

Training is divided into rounds. Each round seeds its random numbers from the seed and the step, and ends with
a report, a check that all numbers are finite, and a checkpoint. So training that is resumed after any round
gives the same weights, and after a NaN the weights of the last good round are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from semigen.common.notices import warn
from semigen.common.progress import Progress
from semigen.deep.data.rows import ROWS_PER_BLOCK, Batch
from semigen.deep.draws import forked, mix
from semigen.deep.training.checkpoints import Checkpoint
from semigen.deep.training.devices import autocast, device_for, new_accelerator
from semigen.deep.training.members import Members
from semigen.deep.training.model import Model
from semigen.deep.training.streams import Streams
from semigen.exceptions import TrainingWarning

Outcome = Literal["finished", "no improvement", "not finite", "interrupted"]


@dataclass(frozen=True)
class Training:
    """How to train.

    Attributes
    ----------
    n_steps : int
        Optimizer steps.
    learning_rate : float
        Constant for two thirds of the steps, then linear to 0.
    weight_average : float in [0, 1)
        Decay of the exponential moving average of the weights, which is the result; 0: the last weights. The
        average starts at the initial weights, so after t steps the decay is at most (1 + t) / (10 + t).
    patience : int or None
        Number of consecutive rounds without improvement of the loss on held-out unlabeled rows after which
        training stops; the weights of the best round are kept. None: all steps.
    n_rounds : int
        Number of rounds, each with a report.
    device : {"auto", "cpu", "cuda", "mps"}
    precision : {"float32", "bfloat16"}
    seed : int
    verbose : int
        1: print each report.
    tracker : object or None
        Its ``log(values, step=)`` gets the parts of the loss in each report.
    """

    n_steps: int
    learning_rate: float
    weight_average: float = 0.999
    patience: int | None = None
    n_rounds: int = 50
    device: str = "auto"
    precision: str = "float32"
    seed: int = 0
    verbose: int = 0
    tracker: Any = field(default=None, compare=False)

    @property
    def round_steps(self) -> int:
        """Optimizer steps per round."""
        return max(1, math.ceil(self.n_steps / self.n_rounds))


@dataclass(frozen=True, eq=False)
class Trained:
    """The result of training.

    Attributes
    ----------
    states : list of dict {str: Tensor}
        Weights of each member, on the CPU.
    history : dict {str: list of float}
        For each round, "step" and the mean of each part of the loss; "held_out" with early stopping.
    n_steps : int
        Optimizer steps that led to these weights.
    outcome : {"finished", "no improvement", "not finite", "interrupted"}
    """

    states: list[dict[str, Tensor]]
    history: dict[str, list[float]]
    n_steps: int
    outcome: Outcome


def train(
    models: list[Model],
    streams: Streams,
    training: Training,
    *,
    held_out: Batch | None = None,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train models, several at once, and return their weights.

    Parameters
    ----------
    models : list of Model
        The members of a deep ensemble, of one architecture.
    streams : Streams
    training : Training
    held_out : Batch, optional
        Unlabeled rows for early stopping; labeled rows are never held out.
    checkpoint : Checkpoint, optional
        Where to save after each round, and to resume from if it exists; it may be of fewer steps.
    progress : callable, optional
        Called as ``progress(steps done, all steps, parts of the loss in words)`` after each round.

    Raises
    ------
    ParameterError
        If the checkpoint is not of this fit, or of more steps.

    Warns
    -----
    TrainingWarning
        If the loss became NaN or infinite, or training was interrupted by Ctrl-C.
    """
    with forked():
        loop = _Loop(models, streams, training, held_out, checkpoint, progress)
        outcome = loop.run()
        return Trained(loop.result(), loop.history, loop.step, outcome)


class _Loop:
    """The state of a training loop."""

    def __init__(
        self,
        models: list[Model],
        streams: Streams,
        training: Training,
        held_out: Batch | None,
        checkpoint: Checkpoint | None,
        progress: Progress | None,
    ) -> None:
        self.training = training
        self.progress = progress
        self.accelerator = new_accelerator()
        self.streams = streams.shared(self.accelerator.process_index, self.accelerator.num_processes)
        self.device = device = device_for(self.accelerator, training.device)
        self.members = Members(models).to(device)
        self.optimizers = {
            name: self.accelerator.prepare(
                models[0].optimizer(name, self.members.moved_by(name), training.learning_rate)
            )
            for name in self.members.objectives
        }
        self.module: Any = self.accelerator.prepare(self.members)
        self.average = [value.detach().clone() for value in self.members.parameters()]
        self.held_out = [] if held_out is None else _parts(_to(held_out, device))
        self.checkpoint = checkpoint
        self.history: dict[str, list[float]] = {}
        self.step = 0
        self.best = math.inf
        self.rounds_without = 0
        self.good = self._snapshot()

    def run(self) -> Outcome:
        """Train round by round."""
        if self.checkpoint is not None:
            found = self.checkpoint.read(self.training.n_steps)
            if found is not None:
                self._restore(found)
        try:
            while self.step < self.training.n_steps:
                parts = self._round()
                if not self._is_finite(parts):
                    self._warn(
                        f"the loss is not finite after {self.step} steps; the weights of step "
                        f"{self.good['step']} are kept. Lower learning_rate, or look for extreme values in X"
                    )
                    self._return_to_good()
                    return "not finite"
                self._record(parts)
                if self._has_stopped_improving():
                    self._return_to_good()
                    return "no improvement"
                if self.checkpoint is not None and self.accelerator.is_main_process:
                    self.checkpoint.write(self._state())
        except KeyboardInterrupt:
            if not all(bool(value.isfinite().all()) for value in self.members.parameters()):
                self._restore_weights(self.good)
            self._warn(
                f"stopped by Ctrl-C after {self.step} of {self.training.n_steps} steps; the weights of "
                "this step are kept"
            )
            return "interrupted"
        if self.training.patience is not None:
            self._return_to_good()
        return "finished"

    def result(self) -> list[dict[str, Tensor]]:
        """The members' weights: the moving average, if there is one."""
        self._take_average()
        return [{name: value.cpu() for name, value in state.items()} for state in self.members.states()]

    def _round(self) -> dict[str, float]:
        """One round; returns the mean of each part of the loss."""
        training = self.training
        torch.manual_seed(mix(training.seed, self.step) % 2**62 + self.accelerator.process_index)
        self.module.train()
        end = min(self.step + training.round_steps, training.n_steps)
        n_steps = end - self.step
        total: dict[str, Tensor] = {}
        batches = self.streams.batches(self.step)
        while self.step < end:
            batch = _to(next(batches), self.device)
            rate = training.learning_rate * learning_rate_factor(self.step, training.n_steps)
            for name, optimizer in self.optimizers.items():
                self.module.zero_grad(set_to_none=True)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                with autocast(self.device, training.precision):
                    loss, parts = self.module(batch, self.step, name)
                self.accelerator.backward(loss)
                optimizer.step()
                for part, value in parts.items():
                    total[part] = total[part] + value if part in total else value
            self.step += 1
            self._average()
        names = sorted(total)
        values = self.accelerator.reduce(torch.stack([total[name].float() for name in names]), "mean")
        return {name: value / n_steps for name, value in zip(names, values.tolist(), strict=True)}

    @torch.no_grad()
    def _take_average(self) -> None:
        if self.training.weight_average:
            torch._foreach_copy_(list(self.members.parameters()), self.average)

    def _average(self) -> None:
        if self.training.weight_average:
            decay = min(self.training.weight_average, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                torch._foreach_lerp_(self.average, list(self.members.parameters()), 1.0 - decay)

    def _is_finite(self, parts: Mapping[str, float]) -> bool:
        if not all(map(math.isfinite, parts.values())):
            return False
        return all(bool(value.isfinite().all()) for value in self.members.parameters())

    def _record(self, parts: dict[str, float]) -> None:
        if self.held_out:
            parts = {**parts, "held_out": self._held_out_loss()}
        for name, value in {"step": self.step, **parts}.items():
            self.history.setdefault(name, []).append(value)
        if not self.accelerator.is_main_process:
            return
        terms = "  ".join(f"{name} {value:.4g}" for name, value in parts.items())
        if self.training.verbose:
            print(f"step {self.step} of {self.training.n_steps}: {terms}", flush=True)
        if self.training.tracker is not None:
            self.training.tracker.log(dict(parts), step=self.step)
        if self.progress is not None:
            self.progress(self.step, self.training.n_steps, terms)

    def _has_stopped_improving(self) -> bool:
        """Keep the weights of the best round, or without early stopping those of the last one."""
        if self.training.patience is None or not self.held_out:
            self.good = self._snapshot()
            return False
        now = self.history["held_out"][-1]
        if now < self.best:
            self.best = now
            self.rounds_without = 0
            self.good = self._snapshot()
            return False
        self.rounds_without += 1
        return self.rounds_without >= self.training.patience

    @torch.no_grad()
    def _held_out_loss(self) -> float:
        """The loss on held-out rows of the weights that would be the result.

        The random numbers are the same every time, and the warm-up counts as over.
        """
        state = torch.get_rng_state()
        torch.manual_seed(self.training.seed)
        self.module.eval()
        moving = [value.clone() for value in self.members.parameters()]
        self._take_average()
        objective = next(iter(self.optimizers))
        total = weight = 0.0
        for part in self.held_out:
            of_part = float(part.unlabeled.weight[0].sum())
            total += of_part * float(self.members(part, self.training.n_steps, objective)[0])
            weight += of_part
        value = total / weight
        torch._foreach_copy_(list(self.members.parameters()), moving)
        torch.set_rng_state(state)
        return value

    def _snapshot(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "members": {name: value.clone() for name, value in self.members.state_dict().items()},
            "average": [value.clone() for value in self.average],
        }

    def _restore_weights(self, snapshot: Mapping[str, Any]) -> None:
        self.members.load_state_dict(snapshot["members"])
        for mine, kept in zip(self.average, snapshot["average"], strict=True):
            mine.copy_(kept)

    def _return_to_good(self) -> None:
        self._restore_weights(self.good)
        self.step = int(self.good["step"])

    def _state(self) -> dict[str, Any]:
        """Everything that the next round depends on."""
        return {
            **self._snapshot(),
            "optimizers": {name: one.state_dict() for name, one in self.optimizers.items()},
            "history": self.history,
            "best": self.best,
            "rounds_without": self.rounds_without,
            "good": self.good,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._restore_weights(state)
        for name, one in self.optimizers.items():
            one.load_state_dict(state["optimizers"][name])
        self.history = {name: list(values) for name, values in state["history"].items()}
        self.step, self.best = int(state["step"]), float(state["best"])
        self.rounds_without, self.good = int(state["rounds_without"]), dict(state["good"])

    def _warn(self, message: str) -> None:
        warn(f"{message}.", TrainingWarning)


def learning_rate_factor(step: int, n_steps: int) -> float:
    """1 for two thirds of the steps, then linear to 0."""
    return min(1.0, 3.0 * (1.0 - step / n_steps))


def _to(batch: Batch, device: torch.device) -> Batch:
    return Batch(*(type(rows)(*(value.to(device, non_blocking=True) for value in rows)) for rows in batch))


def _parts(batch: Batch) -> list[Batch]:
    """Batches of few unlabeled rows each: networks need memory for all rows of a batch."""
    n_rows = batch.unlabeled.x.shape[1]
    places = (slice(i, i + ROWS_PER_BLOCK) for i in range(0, n_rows, ROWS_PER_BLOCK))
    return [batch._replace(unlabeled=batch.unlabeled.take((slice(None), place))) for place in places]
