"""Endless batches of samples, made by worker processes and begun anywhere in the order of the samples."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing.context import BaseContext
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from sair_core.training.data.photos import TrainPhoto
from sair_core.training.data.samples import PictureSamples, Pixels, SampleSpec, render_batch, to_pixels

Batch = dict[str, Tensor]
Batches = Generator[tuple[range, Batch], None, None]  # without end; close them to let their workers go


def load_pictures(
    samples: PictureSamples,
    batch: int,
    start: int,
    workers: int,
    share: tuple[int, int] = (0, 1),
    resident: Sequence[Pixels] | None = None,
) -> Batches:
    """Yield batches of this process's pictures, each with the numbers of its samples in all processes.

    resident: the photos' pixels on an accelerator, where the pictures are then made; without, workers make
    them on the CPU. The rest as `load_batches`.
    """
    collate = _RenderSpecs(None if resident is not None else samples.photos)
    for numbers, made in load_batches(samples, batch, start, workers, share, collate):
        yield numbers, made if resident is None else render_batch(made, resident.__getitem__)


def load_batches(
    samples: Dataset[Any],
    batch: int,
    start: int,
    workers: int,
    share: tuple[int, int],
    collate: Callable[[list[Any]], Any],
) -> Generator[tuple[range, Any], None, None]:
    """Yield what `collate` makes of each batch of samples, without end, with the numbers of its samples.

    They begin with the first whole batch from sample number `start` on, so that batches hold the same samples
    wherever a run is continued. share: `(i, n)` = this is process i of n, each with its own `batch` of every
    `n * batch` samples; the numbers are those of all. workers: processes that make them beside this one.
    """
    together = batch * share[1]
    first = -(-start // together) * together
    loader = DataLoader(
        samples,
        batch_size=batch,
        sampler=_ShareSampler(first, batch, *share),
        num_workers=workers,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
        prefetch_factor=4 if workers else None,
        worker_init_fn=_ignore_stop_signals,
        multiprocessing_context=_lockless_context() if workers else None,
    )
    others = set(multiprocessing.active_children())
    batches = iter(loader)
    own = set(multiprocessing.active_children()) - others
    try:
        for made in batches:
            yield range(first, first + together), made
            first += together
    finally:
        del batches  # asks the workers to end
        for worker in own:
            worker.kill()  # one that did not end in time; it ignores SIGTERM


class _ShareSampler(Sampler[int]):
    """Sample numbers from `start` on without end; of each `batch * count` in a row, share number `share`."""

    def __init__(self, start: int, batch: int, share: int, count: int):
        self.start, self.batch, self.share, self.count = start, batch, share, count

    def __iter__(self) -> Iterator[int]:
        first = self.start + self.share * self.batch
        while True:
            yield from range(first, first + self.batch)
            first += self.batch * self.count


class _RenderSpecs:
    """Collate samples into one list of specs, or with photos into the pictures made of them."""

    def __init__(self, photos: Sequence[TrainPhoto] | None):
        self.photos = photos

    def __call__(self, samples: list[list[SampleSpec]]) -> list[SampleSpec] | Batch:
        specs = [spec for sample in samples for spec in sample]
        photos = self.photos
        return specs if photos is None else render_batch(specs, lambda index: to_pixels(photos[index]))


class _Flag:
    """What a DataLoader asks of an event, without a lock.

    A worker that is stopped or killed while it reads multiprocessing's own holds the lock of it for ever, and
    so keeps the process that would end it.
    """

    def __init__(self, context: BaseContext):
        self._value = context.RawValue("b", 0)

    def set(self) -> None:
        self._value.value = 1

    def is_set(self) -> bool:
        return bool(self._value.value)


def _lockless_context() -> BaseContext:
    """Return the context that processes are started in by default, with flags for events."""
    default = multiprocessing.get_context()

    class Lockless(type(default)):  # type: ignore[misc]  # a class of its own for each start method
        def Event(self) -> _Flag:
            return _Flag(self)

    return Lockless()


def _ignore_stop_signals(_: int) -> None:
    # Ctrl+C and a service's SIGTERM reach the whole process group; workers end when the trainer has saved.
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.SIG_IGN)
