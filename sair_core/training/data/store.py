"""Photos in memory where they fit, once per machine, however many processes train there; else in files."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
import torch
from cachetools import LRUCache
from tqdm import tqdm

from sair_core.errors import DataError
from sair_core.files import replacing
from sair_core.photos.folders import Classes, spread
from sair_core.training.backend import Engine
from sair_core.training.config import RunConfig
from sair_core.training.data.photos import TrainPhoto, open_photo, split
from sair_core.training.data.samples import Pixels, as_pixels
from sair_core.training.data.scan import Scan, scan
from sair_core.training.monitor import tell
from sair_core.training.state import MODEL, holds_run

logger = logging.getLogger(__name__)

MOST_HELD = 48  # photos to validate with
MEMORY_SHARE = 0.5  # of what is free, for photos
DEVICE_SHARE = 0.25  # of what is free on an accelerator
OPENED = 32  # photos, of those that are opened for every sample
NAMES_NAME = "{role}-photos.json"  # in the run folder: the photos it is trained on, and validated with


class PhotoStore(Sequence[TrainPhoto]):
    """Photos by place: those in memory, or opened when they are asked for."""

    def __init__(self, photos: Sequence[TrainPhoto | Path], classes: Classes | None):
        self.photos, self.classes = photos, classes
        self._opened: LRUCache[int, TrainPhoto] = LRUCache(OPENED)  # the last few: each is asked for twice

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, place: int) -> TrainPhoto:
        photo = self.photos[place]
        if not isinstance(photo, Path):
            return photo
        if place not in self._opened:
            self._opened[place] = open_photo(photo, self.classes)
        return self._opened[place]

    def resident(self, device: torch.device) -> list[Pixels] | None:
        """All pixels on an accelerator, where pictures are then made; None when they do not fit, or on a CPU,
        where workers make them beside the training."""
        if device.type != "cuda" or any(isinstance(photo, Path) for photo in self.photos):
            return None
        free, _ = torch.cuda.mem_get_info(device)
        if sum(photo.nbytes for photo in self.photos) > DEVICE_SHARE * free:
            return None
        return [as_pixels(photo, device) for photo in self.photos]

    def chosen(self, places: Sequence[int]) -> PhotoStore:
        """Only these."""
        return PhotoStore([self.photos[i] for i in places], self.classes)


def read_folders(
    folders: Sequence[str | Path], classes: Classes | None, engine: Engine, run: Path, role: str = "train"
) -> PhotoStore:
    """Scan folders, say what was found, and keep the photos that can be used.

    Of several processes on a machine the first one reads; the others map what it wrote into the run folder,
    so that the memory is taken once. role: "train" or "val". Raises DataError; also when a run is resumed and
    the photos are not those that it began with, because samples and the validation split are drawn by number.
    """
    if engine.processes == 1:
        kept = _Kept()
        found = _scanned(folders, classes, run, kept)
        _remember(run, role, found.photos)
        return PhotoStore(kept.photos if kept.fits else found.photos, classes)
    # Named by the machine: several may share the run folder.
    pack, index = (run / f".photos-{engine.first_here}.{suffix}" for suffix in ("bin", "npz"))
    if engine.is_first_here:
        kept = _Kept()
        found = _scanned(folders, classes, run, kept)
        if engine.is_main:
            _remember(run, role, found.photos)
        _write(pack, index, kept.photos if kept.fits else (), found.photos)
        del kept
    engine.wait()
    photos = list(_read(pack, index))
    engine.wait()
    if engine.is_first_here:  # the maps stay valid
        pack.unlink()
        index.unlink()
    return PhotoStore(photos, classes)


def photos_and_held(
    config: RunConfig, classes: Classes | None, engine: Engine
) -> tuple[PhotoStore, list[TrainPhoto]]:
    """Photos to train on, and those to validate with."""
    photos = read_folders(config.data, classes, engine, Path(config.output))
    if config.val:
        held = read_folders(config.val, None, engine, Path(config.output), "val")
        kept = list(range(len(photos)))
    else:
        kept, places = split(range(len(photos)), config.val_share, config.seed)
        held = photos.chosen(places)
        logger.info(
            "%d photos (%.3g %%) are held back for validation, drawn with seed %d",
            len(held), 100 * len(held) / len(photos), config.seed,
        )  # fmt: skip
    return photos.chosen(kept), [held[i] for i in spread(len(held), MOST_HELD)]


class _Kept:
    """Photos as long as they fit."""

    def __init__(self) -> None:
        self.photos: list[TrainPhoto] = []
        self.room = MEMORY_SHARE * psutil.virtual_memory().available
        self.fits = True

    def __call__(self, photo: TrainPhoto) -> None:
        self.room -= photo.nbytes
        if self.fits and self.room < 0:
            self.fits = False
            self.photos.clear()
            logger.warning("The photos do not fit in memory: they will be opened again for every sample.")
        if self.fits:
            self.photos.append(photo)


def _remember(run: Path, role: str, photos: Sequence[Path]) -> None:
    """Write down which photos a run has, or see that they are still the same."""
    path, names = run / NAMES_NAME.format(role=role), [photo.name for photo in photos]
    if holds_run(run) and path.exists():
        before = json.loads(path.read_text("utf-8"))
        if before != names:
            new, gone = (len(set(a) - set(b)) for a, b in ((names, before), (before, names)))
            raise DataError(
                f"The photos are not those that {run} began with: {new} new, {gone} gone. Put them back to "
                f"continue it exactly, or begin another run with --from {run / MODEL}."
            )
    else:
        run.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(names, indent=0), "utf-8")


def _scanned(folders: Sequence[str | Path], classes: Classes | None, run: Path, kept: _Kept) -> Scan:
    with tqdm(desc="opening photos", unit="photo", leave=False, delay=2) as bar:

        def progress(done: int, count: int) -> None:
            bar.total = count
            bar.update()
            if done % 50 == 0:
                tell(run, "scanning", message=f"Opening photos: {done} of {count}")

        found = scan(folders, classes, keep=kept, progress=progress)
    logger.info("%s", found.summary())
    return found


def _write(pack: Path, index: Path, photos: Sequence[TrainPhoto], paths: Sequence[Path]) -> None:
    """All pixels one after the other, and where each photo's are; of photos that do not fit, the paths."""
    with pack.open("wb") as file:
        for photo in photos:
            file.write(photo.rgb.tobytes())
            if photo.ids is not None:
                file.write(photo.ids.tobytes())
        file.write(b"\0")  # an empty file cannot be mapped
    rows = [(*p.rgb.shape[:2], p.ids is not None, p.partial) for p in photos]
    with index.open("wb") as file:
        np.savez(file, rows=np.array(rows, np.int64).reshape(-1, 4), paths=np.array([str(p) for p in paths]))


def _read(pack: Path, index: Path) -> Iterator[TrainPhoto | Path]:
    with np.load(index) as content:
        rows, paths = content["rows"], content["paths"]
    if not len(rows):
        yield from map(Path, paths.tolist())
    pixels, place = np.memmap(pack, np.uint8, mode="r"), 0
    for height, width, has_ids, partial in rows.tolist():
        count = height * width
        rgb = pixels[place : place + 3 * count].reshape(height, width, 3)
        place += 3 * count
        ids = pixels[place : place + count].reshape(height, width) if has_ids else None
        place += count * has_ids
        yield TrainPhoto(rgb, ids, bool(partial))
