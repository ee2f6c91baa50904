"""E-steps in PyTorch, on a GPU or the processor, in one process or several."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

import numpy as np
import torch
from torch import distributed

from semigen.common.checks import integer
from semigen.data.blocks import Block, Blocks, Engine
from semigen.em import Mixture, Params, Stats, ThreadEngine, e_step
from semigen.em.kernel import label_counts, log_offsets, no_label_counts
from semigen.em.records import as_vector
from semigen.engines.banks import Bank, is_banked
from semigen.engines.walks import TensorWalk, adds_up, normalized
from semigen.exceptions import ParameterError
from semigen.families.covariance import Diag

CHUNK_NUMBERS = {"cpu": 2**18, "cuda": 2**27, "mps": 2**24}
"""Numbers in the largest scratch array: on the processor they fit its cache."""


@dataclass(frozen=True)
class TorchEngine(Engine):
    """The E-steps of Gaussian mixtures as PyTorch computes them; everything else in threads.

    Rows are copied to the device once and stay there from iteration to iteration, or stream through it.
    With float32 rows products are in float32, sums over rows in float64, and the last iterations all in
    float64, as on threads: parameters are the same but for rounding. Where ``torch.distributed`` is
    initialized, every process calls the same fit on the same rows (an array may be memory-mapped), computes
    its share of the blocks, and learns the sums of the others; other rows or parameters are an error.

    A device without float64 (Apple's "mps") computes what is asked for in float32, which are all but the last
    iterations of float32 rows: its sums over chunks of rows are added up in float64 on the processor, where
    threads do the rest.

    Parameters
    ----------
    device : str or None, default=None
        "cpu", "cuda", "cuda:1" or "mps". None: a GPU of CUDA where there is one, else the processor.
    block_rows : int, default=262144
        Rows that are copied and computed together.
    keep : bool, default=True
        Keep the rows on the device. False: copy them in every iteration, for tables larger than its memory.

    Raises
    ------
    ParameterError
        If the device is not there, or ``block_rows`` is below 1; in a fit, if the family is not Gaussian or
        values are missing, or if processes do not fit the same.
    """

    device: str | None = None
    block_rows: int = 262144
    keep: bool = True

    def __post_init__(self) -> None:
        integer("block_rows", self.block_rows, minimum=1)
        try:
            torch.zeros(1, dtype=torch.float32, device=self._there)
        except (RuntimeError, TypeError, AssertionError) as error:
            raise ParameterError(
                f"device={self.device!r} cannot be used here ({error!s:.60}…): use 'cpu', 'cuda' where "
                "PyTorch finds a GPU, or 'mps' where torch.backends.mps.is_available()."
            ) from error

    @property
    def _there(self) -> str:
        return self.device or ("cuda" if torch.cuda.is_available() else "cpu")

    @contextmanager
    def open(self) -> Iterator[Engine]:
        with ThreadEngine(block_rows=self.block_rows).open() as threads:
            device = torch.device(self._there)
            yield _Device(device, self.block_rows, self.keep, threads, has_float64=_has_float64(device))

    def map_blocks(self, function: Callable[..., Any], source: Blocks, *states: Iterable[Any]) -> list[Any]:
        with self.open() as running:
            return running.map_blocks(function, source, *states)


@dataclass(frozen=True, eq=False)
class _Device(Engine):
    """An open :class:`TorchEngine`, which remembers the blocks that are on the device."""

    device: torch.device
    block_rows: int
    keep: bool
    threads: Engine
    has_float64: bool
    _kept: dict[int, list[_Rows]] = field(default_factory=dict, repr=False)
    _seen: dict[int, list[float]] = field(default_factory=dict, repr=False)
    _banks: dict[tuple[bool, int], Bank] = field(default_factory=dict, repr=False)

    def map_blocks(self, function: Callable[..., Any], source: Blocks, *states: Iterable[Any]) -> list[Any]:
        share: Any = _Share(source)
        if not self._computes(function):
            mine = [[one for j, one in enumerate(items) if _is_mine(j)] for items in states]
            found = self.threads.map_blocks(function, share, *mine)
        else:
            found = [self._e_step(function, rows) for rows in self._rows(share, source)]
        of_all = self._from_all(found, function, source)
        return [of_all[j % len(of_all)][j // len(of_all)] for j in range(sum(map(len, of_all)))]

    def reduce_blocks(
        self, function: Callable[..., Any], merge: Callable[[Any, Any], Any], source: Blocks
    ) -> list[Any]:
        share: Any = _Share(source)
        if self._computes(function):
            parts = [self._e_step(function, rows) for rows in self._rows(share, source)]
        else:
            parts = self.threads.map_blocks(function, share)
        mine = [reduce(merge, parts)] if parts else []
        of_all = [one for parts in self._from_all(mine, function, source) for one in parts]
        return [reduce(merge, of_all)] if of_all else []

    def reduce_each(
        self, functions: Sequence[Any], merge: Callable[[Any, Any], Any], sources: Sequence[Blocks]
    ) -> list[list[Any]]:
        found: dict[int, list[Any]] = {}
        if self.keep and self.has_float64 and _n_processes() == 1:
            for kind, numbers in _alike(functions, sources).items():
                stats = self._bank(kind, [functions[j].args for j in numbers], [sources[j] for j in numbers])
                found |= {j: [one] for j, one in zip(numbers, stats, strict=True)}
        pairs = enumerate(zip(functions, sources, strict=True))
        return [found.get(j) or self.reduce_blocks(one, merge, source) for j, (one, source) in pairs]

    def _from_all(self, mine: list[Any], function: Any, source: Blocks) -> list[list[Any]]:
        """What each process has, in their order.

        Raises
        ------
        ParameterError
            If they differ in the rows or in the parameters of an E-step.
        """
        if _n_processes() == 1:
            return [mine]
        if id(source) not in self._seen:
            self._seen[id(source)] = _summary(source)
            weakref.finalize(source, self._seen.pop, id(source), None)
        seen = [*self._seen[id(source)], _size(function)]
        found: list[Any] = [None] * _n_processes()
        distributed.all_gather_object(found, (seen, mine))
        if not all(np.allclose(one, found[0][0], rtol=1e-6) for one, _ in found):
            rows = ", ".join(f"{one[0]:,.0f}" for one, _ in found)
            raise ParameterError(
                f"the {len(found)} processes of torch.distributed do not fit the same model to the same rows "
                f"({rows} of them): each calls fit with all rows (an array may be memory-mapped), the same "
                "labels and parameters, and a number as random_state; the engine deals the blocks out."
            )
        return [parts for _, parts in found]

    def _computes(self, function: Any) -> bool:
        """Whether the device computes a pass, and not threads."""
        return _is_e_step(function) and (self.has_float64 or _precision(function) == torch.float32)

    def _bank(
        self, kind: tuple[bool, int], each: list[tuple[Mixture, Params]], sources: list[Any]
    ) -> list[Stats]:
        """E-steps of several mixtures of one kind; their rows stay on the device from pass to pass."""
        center = [params.family.center for _, params in each]
        bank = self._banks[kind].only(sources, center) if kind in self._banks else None
        if bank is None:
            bank = Bank.of(sources, center, squared=kind[0], device=self.device)
        self._banks[kind] = bank
        return bank.e_steps(each, CHUNK_NUMBERS.get(self.device.type, 2**27))

    def _rows(self, share: _Share, source: Blocks) -> Iterable[_Rows]:
        """The blocks of this process as tensors."""
        copied = (_Rows.of(block, self.device, self.has_float64) for block in share.blocks(self.block_rows))
        if not self.keep:
            return copied
        if id(source) not in self._kept:
            self._kept[id(source)] = list(copied)
            weakref.finalize(source, self._kept.pop, id(source), None)
        return self._kept[id(source)]

    def _e_step(self, function: Any, rows: _Rows) -> Stats:
        mixture, params = function.args
        return tensor_e_step(mixture, params, rows, _precision(function))


def _alike(functions: Sequence[Any], sources: Sequence[Blocks]) -> dict[tuple[bool, int], list[int]]:
    """Numbers of E-steps that one batch can compute, by whether they need squares and by rows."""
    found: dict[tuple[bool, int], list[int]] = {}
    for j, (function, source) in enumerate(zip(functions, sources, strict=True)):
        if _is_e_step(function) and is_banked(function.args[0], source):
            kind = isinstance(function.args[0].family.covariance, Diag), source.n_rows
            found.setdefault(kind, []).append(j)
    return {kind: numbers for kind, numbers in found.items() if len(numbers) > 1}


def _is_e_step(function: Any) -> bool:
    return isinstance(function, partial) and function.func is e_step


def _precision(function: Any) -> torch.dtype:
    """What an E-step is to be computed in."""
    return torch.float32 if function.keywords.get("dtype") == np.float32 else torch.float64


def _has_float64(device: torch.device) -> bool:
    try:
        torch.zeros(1, dtype=torch.float64, device=device)
    except (RuntimeError, TypeError):
        return False
    return True


@dataclass(frozen=True, eq=False)
class _Share:
    """The blocks of a source that belong to this process: one of so many that take turns."""

    source: Blocks

    @property
    def n_rows(self) -> int:
        return self.source.n_rows

    def blocks(self, most_rows: int) -> Iterator[Block]:
        return (block for j, block in enumerate(self.source.blocks(most_rows)) if _is_mine(j))


def _is_mine(number: int) -> bool:
    """Whether the block of this number is computed in this process."""
    return number % _n_processes() == _rank()


def _n_processes() -> int:
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def _rank() -> int:
    return distributed.get_rank() if _n_processes() > 1 else 0


def _summary(source: Blocks) -> list[float]:
    """Numbers that tell rows from others: how many count, and sums over the first ones."""
    for block in source.blocks(1024):
        sums = [np.nansum(np.abs(block.x), dtype=np.float64)] if isinstance(block.x, np.ndarray) else [0.0]
        return [source.n_rows, *sums, block.weight.sum(), block.labels.pattern.sum()]
    return [source.n_rows, 0.0, 0.0, 0.0]


def _size(function: Any) -> float:
    """A number that tells parameters of an E-step from others."""
    values = as_vector(function.args[1]) if _is_e_step(function) else np.zeros(1)
    return float(np.abs(values[np.isfinite(values)]).sum())


@dataclass(frozen=True)
class _Rows:
    """The rows of a block that count, on a device.

    Attributes
    ----------
    x : tensor of shape (n, D)
    pattern : tensor of shape (n,), int64
    weight : tensor of shape (n,), float64, or float32 where the device has no float64
    labels : Labels
    missing : ndarray of shape (D,), bool, or None
        Columns in which values may be missing.
    """

    x: torch.Tensor
    pattern: torch.Tensor
    weight: torch.Tensor
    labels: Any
    missing: Any

    @classmethod
    def of(cls, block: Block, device: torch.device, has_float64: bool = True) -> _Rows:
        """Copy a block."""
        if not isinstance(block.x, np.ndarray):
            raise ParameterError("engine='torch' takes no sparse matrix: use engine=None (threads).")
        rows = block.rows
        whole = len(rows) == len(block.weight)
        labels = block.labels if whole else block.labels.take(rows)

        def copied(values: Any) -> torch.Tensor:
            tensor = torch.from_numpy(np.array(values, order="C"))
            if tensor.dtype == torch.float64 and not has_float64:
                tensor = tensor.float()
            if device.type == "cuda":
                tensor = tensor.pin_memory()
            return tensor.to(device, non_blocking=True)

        x, weight = (block.x, block.weight) if whole else (block.x[rows], block.weight[rows])
        return cls(copied(x), copied(labels.pattern), copied(weight), labels, block.missing)


def tensor_e_step(mixture: Mixture, params: Params, rows: _Rows, dtype: torch.dtype) -> Stats:
    """:func:`semigen.em.e_step` of rows on a device, with sums over rows in float64."""
    if rows.missing is not None and rows.missing.any():
        raise ParameterError(
            "engine='torch' has no walk over rows with missing values: use engine=None (threads), or fill "
            "them in."
        )
    device, exact = rows.x.device, rows.weight.dtype
    sums = adds_up(device, exact)
    walk = TensorWalk.of(mixture.family, params.family, dtype, device, exact)
    table = log_offsets(mixture, params, rows.labels.log_table, rows.labels.pattern_labeled)
    offsets = torch.from_numpy(np.ascontiguousarray(table.T)).to(dtype).to(device)
    noise = no_label_counts(mixture)
    parts = torch.zeros((mixture.n_components, 2), dtype=torch.float64, device=sums)
    log_lik = torch.zeros((), dtype=torch.float64, device=sums)
    size = max(32, CHUNK_NUMBERS.get(device.type, 2**27) // walk.numbers_per_row)
    for begin in range(0, len(rows.x), size):
        here = slice(begin, begin + size)
        pattern, weight = rows.pattern[here], rows.weight[here]
        log_joint = walk.log_prob(rows.x[here])
        log_joint += offsets[:, pattern]
        resp, log_prob = normalized(log_joint)
        log_lik += weight.to(sums).double() @ log_prob.to(sums).double()
        resp *= weight.to(dtype)
        walk.add(resp)
        labeled = pattern != 0
        which = torch.stack([~labeled, labeled], dim=1)
        parts += (resp.to(exact) @ which.to(exact)).to(sums)
        if noise is not None:
            found = resp.cpu().double().numpy()
            noise += label_counts(mixture, params, rows.labels.log_table, pattern.cpu().numpy(), found)
    return Stats(parts.T.cpu().numpy().copy(), float(log_lik), walk.stats(), noise)
