import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sair_core.training.backend import Backend
from sair_core.training.data import store
from sair_core.training.data.photos import TrainPhoto
from sair_core.training.data.store import PhotoStore, read_folders
from sair_core.training.loop import train
from tests.training.states import load_state


def weights(run):
    return load_state(run)["learners"]["model"]["model"]


@pytest.mark.parametrize("workers", [0, 1])
def test_photos_that_do_not_fit_in_memory_train_the_same(tiny_run, tmp_path, monkeypatch, caplog, workers):
    train(tiny_run(preset="tiny", output=str(tmp_path / "kept"), workers=workers), show_progress=False)
    monkeypatch.setattr(store, "MEMORY_SHARE", 0.0)
    train(tiny_run(preset="tiny", output=str(tmp_path / "opened"), workers=workers), show_progress=False)
    assert "do not fit in memory" in caplog.text
    kept, opened = weights(tmp_path / "kept"), weights(tmp_path / "opened")
    assert all(torch.equal(opened[k], v) for k, v in kept.items())


def test_what_is_opened_again_and_again_is_not_kept(photo_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MEMORY_SHARE", 0.0)
    monkeypatch.setattr(store, "OPENED", 2)
    photos = read_folders([photo_folder], None, Backend("cpu", bf16=False), tmp_path / "run")
    assert len(photos) == 8 and all(isinstance(p, Path) for p in photos.photos)
    assert [photos[i].rgb.shape for i in range(8)] == [(90, 120, 3)] * 8 and len(photos._opened) == 2
    assert photos.select([3, 1]).photos == [photos.photos[3], photos.photos[1]] == [*photos[3:0:-2].photos]


def test_what_one_process_wrote_the_others_map(tmp_path):
    rng = np.random.default_rng(0)
    made = [
        TrainPhoto(rng.integers(0, 256, (h, w, 3), dtype=np.uint8), ids, partial)
        for h, w, ids, partial in (
            (70, 80, None, False),
            (64, 65, rng.integers(0, 9, (64, 65), dtype=np.uint8), True),
            (90, 66, None, False),
        )
    ]
    pack, index = tmp_path / "pack", tmp_path / "index"
    store._write_pack(pack, index, made, [])
    for one, read in zip(made, store._map_pack(pack, index), strict=True):
        np.testing.assert_array_equal(read.rgb, one.rgb)
        assert (read.ids is None) == (one.ids is None) and read.partial == one.partial
        assert isinstance(read.rgb.base, np.memmap)
        if one.ids is not None:
            np.testing.assert_array_equal(read.ids, one.ids)
    store._write_pack(pack, index, (), [Path("a.jpg"), Path("b.jpg")])
    assert list(store._map_pack(pack, index)) == [Path("a.jpg"), Path("b.jpg")]


def test_on_a_cpu_pictures_are_made_by_workers():
    photo = TrainPhoto(np.zeros((64, 64, 3), np.uint8))
    assert PhotoStore([photo], None).load_pixels(torch.device("cpu")) is None


def test_machines_that_share_the_run_folder_do_not_touch_each_others_files(tmp_path, monkeypatch):
    """Two machines of one process each: what one has read and taken away, the other still needs."""
    backends = [Backend("cpu", bf16=False) for _ in range(2)]
    ready = threading.Barrier(2, timeout=300)
    photos = [TrainPhoto(np.full((64 + i, 70, 3), i, np.uint8)) for i in range(4)]

    def scan_into_memory(folders, classes, run):
        return SimpleNamespace(photos=[Path(f"{i}.jpg") for i in range(4)]), photos

    monkeypatch.setattr(store, "_scan_into_memory", scan_into_memory)
    for rank, backend in enumerate(backends):
        backend.rank, backend.processes, backend.local_main_rank = rank, 2, rank
        backend.is_main = rank == 0
        backend.wait = ready.wait
    with ThreadPoolExecutor(2) as pool:
        work = [pool.submit(read_folders, ["here"], None, one, tmp_path) for one in backends]
        stores = [one.result(300) for one in work]
    for found in stores:
        for place, photo in enumerate(photos):
            np.testing.assert_array_equal(found[place].rgb, photo.rgb)
    assert [path.name for path in tmp_path.iterdir()] == ["train-photos.json"]
