"""Photos in memory where they fit, once per machine, however many processes train there; else in files."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import psutil
import torch
from cachetools import LRUCache
from tqdm import tqdm

from sair_core.errors import DataError
from sair_core.files import replacing
from sair_core.photos.folders import Classes, spread
from sair_core.training.backend import Backend
from sair_core.training.config import RunConfig
from sair_core.training.data.photos import TrainPhoto, open_photo, split
from sair_core.training.data.samples import Pixels, to_pixels
from sair_core.training.data.scan import Scan, scan
from sair_core.training.monitor import write_status
from sair_core.training.state import MODEL, holds_run

logger = logging.getLogger(__name__)

MAX_VALIDATED = 48  # photos to validate with
MEMORY_SHARE = 0.5  # of what is free, for photos
DEVICE_SHARE = 0.25  # of what is free on an accelerator
OPENED = 32  # photos in the cache, of those that are opened again for every sample
NAMES_NAME = "{role}-photos.json"  # in the run folder: the photos it is trained on, and validated with


class PhotoStore(Sequence[TrainPhoto]):
    """Photos by index: those in memory, or opened when they are asked for."""

    def __init__(self, photos: Sequence[TrainPhoto | Path], classes: Classes | None):
        self.photos, self.classes = photos, classes
        self._opened: LRUCache[int, TrainPhoto] = LRUCache(OPENED)  # the last few: each is asked for twice

    def __len__(self) -> int:
        return len(self.photos)

    @overload
    def __getitem__(self, index: int) -> TrainPhoto: ...

    @overload
    def __getitem__(self, index: slice) -> PhotoStore: ...

    def __getitem__(self, index: int | slice) -> TrainPhoto | PhotoStore:
        if isinstance(index, slice):
            return PhotoStore(self.photos[index], self.classes)
        photo = self.photos[index]
        if not isinstance(photo, Path):
            return photo
        opened = self._opened.get(index)
        if opened is None:
            opened = self._opened[index] = open_photo(photo, self.classes)
        return opened

    def load_pixels(self, device: torch.device) -> list[Pixels] | None:
        """Load all pixels to an accelerator, where pictures are then made.

        None when they do not fit, and on a CPU, where workers make the pictures beside the training.
        """
        photos = [photo for photo in self.photos if not isinstance(photo, Path)]
        if device.type != "cuda" or len(photos) < len(self.photos):
            return None
        free, _ = torch.cuda.mem_get_info(device)
        if sum(photo.nbytes for photo in photos) > DEVICE_SHARE * free:
            return None
        return [to_pixels(photo, device) for photo in photos]

    def select(self, indices: Sequence[int]) -> PhotoStore:
        """Return a store of some of the photos."""
        return PhotoStore([self.photos[i] for i in indices], self.classes)


def read_folders(
    folders: Sequence[str | Path], classes: Classes | None, backend: Backend, run: Path, role: str = "train"
) -> PhotoStore:
    """Scan folders, log what was found, and load the photos that can be used.

    Of several processes on a machine the first one reads; the others map what it wrote into the run folder,
    so that the memory is taken once. role: "train" or "val". Raises DataError; also when a run is resumed and
    the photos are not those that it began with, because samples and the validation split are drawn by number.
    """
    if backend.processes == 1:
        found, photos = _scan_into_memory(folders, classes, run)
        _check_names(run, role, found.photos)
        return PhotoStore(photos or found.photos, classes)
    # Named by the machine: several may share the run folder.
    pack, index = (run / f".photos-{backend.local_main_rank}.{suffix}" for suffix in ("bin", "npz"))
    if backend.is_local_main:
        found, photos = _scan_into_memory(folders, classes, run)
        if backend.is_main:
            _check_names(run, role, found.photos)
        _write_pack(pack, index, photos, found.photos)
        del photos
    backend.wait()
    mapped = list(_map_pack(pack, index))
    backend.wait()
    if backend.is_local_main:  # the maps stay valid
        pack.unlink()
        index.unlink()
    return PhotoStore(mapped, classes)


def load_split(
    config: RunConfig, classes: Classes | None, backend: Backend, held_classes: Classes | None = None
) -> tuple[PhotoStore, list[TrainPhoto]]:
    """Return the photos to train on, and those to validate with.

    classes, held_classes: of the label maps beside the photos, and beside those of folders of their own to
    validate with; None: they are not read. Raises DataError as `read_folders` does.
    """
    photos = read_folders(config.data, classes, backend, Path(config.output))
    if config.val:
        validated = read_folders(config.val, held_classes, backend, Path(config.output), "val")
        trained = list(range(len(photos)))
    else:
        trained, held_back = split(range(len(photos)), config.val_share, config.seed)
        validated = photos.select(held_back)
        logger.info(
            "%d photos (%.3g %%) are held back for validation, drawn with seed %d",
            len(validated), 100 * len(validated) / len(photos), config.seed,
        )  # fmt: skip
    return photos.select(trained), [validated[i] for i in spread(len(validated), MAX_VALIDATED)]


class _Memory:
    """Photos, as long as they fit in memory."""

    def __init__(self) -> None:
        self.photos: list[TrainPhoto] = []
        self.free_bytes = MEMORY_SHARE * psutil.virtual_memory().available
        self.fits = True

    def add(self, photo: TrainPhoto) -> None:
        """Keep a photo; once one does not fit, none is kept."""
        self.free_bytes -= photo.nbytes
        if self.fits and self.free_bytes < 0:
            self.fits = False
            self.photos.clear()
            logger.warning("The photos do not fit in memory: they will be opened again for every sample.")
        if self.fits:
            self.photos.append(photo)


def _scan_into_memory(
    folders: Sequence[str | Path], classes: Classes | None, run: Path
) -> tuple[Scan, list[TrainPhoto]]:
    """Scan folders, showing progress, and log what was found; the photos are none when they do not fit."""
    memory = _Memory()
    layout = "{l_bar}{bar}|"
    with tqdm(total=1.0, desc="opening photos", leave=False, delay=2, bar_format=layout, disable=None) as bar:
        written = 0

        def show(share: float, text: str) -> None:
            nonlocal written
            bar.update(share - bar.n)
            if int(50 * share) > written:  # 50 times in all
                written = int(50 * share)
                write_status(run, "scanning", message=text)

        found = scan(folders, classes, keep=memory.add, progress=show)
    logger.info("%s", found.summary())
    return found, memory.photos


def _check_names(run: Path, role: str, photos: Sequence[Path]) -> None:
    """Write down which photos a run has; of a resumed one, raise DataError when they are not the same."""
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


def _write_pack(pack: Path, index: Path, photos: Sequence[TrainPhoto], paths: Sequence[Path]) -> None:
    """Write all pixels one after the other, and where each photo's are; without photos, the paths."""
    with pack.open("wb") as file:
        for photo in photos:
            file.write(photo.rgb.tobytes())
            if photo.ids is not None:
                file.write(photo.ids.tobytes())
        file.write(b"\0")  # an empty file cannot be mapped
    rows = [(*p.rgb.shape[:2], p.ids is not None, p.partial) for p in photos]
    with index.open("wb") as file:
        np.savez(file, rows=np.array(rows, np.int64).reshape(-1, 4), paths=np.array([str(p) for p in paths]))


def _map_pack(pack: Path, index: Path) -> Iterator[TrainPhoto | Path]:
    """Yield what `_write_pack` wrote: photos whose pixels are mapped from the file, or the paths."""
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
