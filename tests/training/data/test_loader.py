import multiprocessing
import os
import signal
import threading

import torch

from sair_core.training.data.loader import load_pictures
from sair_core.training.data.samples import to_pixels


def test_a_batch_has_pictures_of_one_size(samples):
    mixed = samples(size_px=64, scale_share=0.5, scale_max=2.0, batch=3)
    kinds = [{mixed[3 * i + j]["rgb01"].shape for j in range(3)} for i in range(8)]
    assert all(len(kind) == 1 for kind in kinds) and len(set.union(*kinds)) > 1
    numbers, batch = next(load_pictures(mixed.samples, 3, start=0, workers=0))
    assert numbers == range(3) and batch["rgb01"].numel() == 3 * 3 * 64 * 64
    assert len(batch["ids"]) == len(batch["rgb01"])


def test_batches_start_anywhere(fill_samples):
    first = load_pictures(fill_samples(), 2, start=0, workers=0)
    next(first)
    (numbers, second), (_, resumed) = next(first), next(load_pictures(fill_samples(), 2, start=2, workers=0))
    assert numbers == range(2, 4) and all(torch.equal(second[k], resumed[k]) for k in second)
    # From number 3 on, the next whole batch begins with 4.
    later, third = next(
        load_pictures(fill_samples(), 2, start=3, workers=0)
    )  # where the next whole batch begins
    assert later == range(4, 6) and torch.equal(third["rgb01"], next(first)[1]["rgb01"])


def test_pictures_are_the_same_wherever_they_are_made(fill_samples):
    """On an accelerator from pixels that are there, in a worker, or here."""
    made = fill_samples(size_px=64, scale_share=0.5, scale_max=2.0, batch=2)
    resident = [to_pixels(photo, "cpu") for photo in made.photos]
    kinds = ((0, None), (1, None), (0, resident))
    ways = [load_pictures(made, 2, 0, workers, resident=there) for workers, there in kinds]
    for _ in range(3):
        (_, here), *others = (next(way) for way in ways)
        for _, batch in others:
            assert batch.keys() == here.keys() and all(torch.equal(batch[k], v) for k, v in here.items())


def test_processes_share_the_samples_of_one(fill_samples):
    whole = load_pictures(fill_samples(), 4, start=0, workers=0)
    shares = [load_pictures(fill_samples(), 2, start=0, workers=0, share=(i, 2)) for i in range(2)]
    for _ in range(2):
        (numbers, batch), parts = next(whole), [next(share) for share in shares]
        assert all(part[0] == numbers for part in parts)
        assert torch.equal(batch["rgb01"], torch.cat([part[1]["rgb01"] for part in parts]))


def test_a_worker_that_does_not_listen_ends_with_the_batches(monkeypatch, fill_samples):
    """Else the interpreter would wait for it for ever at its end: it ignores SIGTERM."""
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.5)  # seconds it is waited for
    before = set(multiprocessing.active_children())
    loader = load_pictures(fill_samples(), 2, start=0, workers=1)
    next(loader)
    (worker,) = set(multiprocessing.active_children()) - before
    os.kill(worker.pid, signal.SIGSTOP)
    loader.close()
    worker.join(timeout=300)
    assert not worker.is_alive()


def test_a_worker_that_ends_with_a_lock_does_not_keep_this_process(monkeypatch, fill_samples):
    """Stopped or killed while it looks whether it is to end, it leaves multiprocessing's event locked."""

    def keep_the_lock(event):
        event._cond.acquire(False)
        return False

    monkeypatch.setattr("multiprocessing.synchronize.Event.is_set", keep_the_lock)  # the worker has it, too
    loader = load_pictures(fill_samples(), 2, start=0, workers=1)
    next(loader)
    closing = threading.Thread(target=loader.close, daemon=True)
    closing.start()
    closing.join(timeout=60)
    assert not closing.is_alive()
