"""From photos to photos: crops, working sizes, tensors, compositing. Models know none of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from sair_core.devices import autocast, pick_device
from sair_core.encoders.text import build_text_encoder
from sair_core.errors import ConfigError, EmptyMaskError, FullMaskError, LabelError
from sair_core.filling.adapters import FILLERS, Filler, Guide
from sair_core.filling.fill import fill_crops, reduced
from sair_core.filling.plan import plan_crops
from sair_core.filling.priors import CLUSTERS, PriorView, read_priors
from sair_core.filling.result import FillResult
from sair_core.models.load import load_model
from sair_core.models.sair import Sair
from sair_core.models.spn import Spn
from sair_core.photos.masks import MaskSource, as_mask, mask_to_image
from sair_core.photos.photo import Photo, PhotoSource, load_photo
from sair_core.progress import Cancelled, Progress, never_cancelled, no_progress
from sair_core.semantics.map import SemanticMap
from sair_core.semantics.reader import SemanticReader
from sair_core.semantics.words import EVERYTHING_ELSE, parse_labels
from sair_core.weights.bundled import BUNDLED_SAIR, BUNDLED_SPN
from sair_core.window import Window
from sair_core.zoom.cache import FeatureCache, model_key
from sair_core.zoom.export import export
from sair_core.zoom.function import PhotoFunction

MAX_HOLE_WORK_PX = 192  # training showed holes up to about this thick; thicker ones are worked on reduced
EXPORT_CACHE_BYTES = 80 * 2**20
MAX_SEED = 2**32 - 1


class InpaintPipeline:
    """Fills holes in photos of any size."""

    def __init__(
        self,
        model: Sair | Spn,
        *,
        device: str = "auto",
        bf16: bool = True,
        mirror: bool = True,
        remove_seams: bool = True,
    ):
        """A pipeline around a model.

        device: auto, cpu, cuda, cuda:1 or mps. bf16: compute in bfloat16 where the hardware has it; differs
        from float32 by under 2/255 on average. mirror: average a SAIR's fill with that of the mirrored photo,
        for twice the time. remove_seams: correct a fill so that it meets the photo at the hole's border;
        without, and without the mirror, it is what the model alone says.
        """
        self.device = pick_device(device)
        self.model = model.to(self.device, memory_format=torch.channels_last).eval()
        self.bf16 = bf16
        self.mirror = mirror
        self.remove_seams = remove_seams
        self.filler: Filler = FILLERS[type(model)](model, mirror)
        self._sair = model if isinstance(model, Sair) else None
        self._reader: SemanticReader | None = None
        self._cache = FeatureCache()
        self._key = model_key()
        self._filled: tuple[bytes, Photo] | None = None

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path = BUNDLED_SAIR, *, device: str = "auto", **options: bool
    ) -> InpaintPipeline:
        """name_or_path: a bundled name, a checkpoint folder, or a hub id; the rest as in the constructor.

        Raises ModelNotFoundError, CheckpointError or DeviceError.
        """
        return cls(load_model(name_or_path), device=device, **options)

    @property
    def draws(self) -> bool:
        """Whether every seed is another fill: so with a probabilistic SPN, and only there."""
        return self.filler.draws

    @overload
    def fill(
        self, photo: PhotoSource | Photo, mask: MaskSource, *, variations: None = None, **options: Any
    ) -> FillResult: ...

    @overload
    def fill(
        self, photo: PhotoSource | Photo, mask: MaskSource, *, variations: int, **options: Any
    ) -> list[FillResult]: ...

    def fill(
        self,
        photo: PhotoSource | Photo,
        mask: MaskSource,
        *,
        seed: int = 0,
        variations: int | None = None,
        words: str | Sequence[str] | None = None,
        strength: float = 1.0,
        progress: Progress | None = None,
    ) -> FillResult | list[FillResult]:
        """Fill the hole in a photo.

        photo: PIL image, array, path, file bytes or `Photo`; mask: PIL image, array or path, white or True
        = fill. Each blob of the mask gets a crop with context; the crop is encoded at the model's working
        size and its hole pixels are decoded at the photo's own resolution (an SPN's are enlarged to it).
        seed: of a model that `draws`; all others give the same fill for any. variations: so many fills, as a
        list, with the seeds seed, seed + 1, ...; each is what its seed alone would give.
        words: what to fill with, "grass" or several; only a model with semantics listens. strength: how much
        of what it would have put there gives way to them, in [0, 1].
        progress: called with a share in [0, 1] and a short text.

        Raises PhotoError, MaskError and their kinds: EmptyMaskError, FullMaskError, MaskSizeError,
        PhotoTooLargeError; LabelError for words that cannot be used; ConfigError for a seed out of range and
        for several variations from a model that has one.
        """
        started = time.perf_counter()
        report = progress or no_progress
        seeds = self._seeds(seed, 1 if variations is None else variations)
        if not isinstance(photo, Photo):
            report(0.0, "Opening the photo")
        photo, hole = _opened(photo, mask)
        guide = None if words is None else self._guide(words, strength)
        fills01 = np.empty((len(seeds), np.count_nonzero(hole), 3), np.float32)
        place = np.flatnonzero(hole)
        crops = plan_crops(hole, max_hole_work_px=MAX_HOLE_WORK_PX)
        steps = len(crops) * len(seeds)
        filled = fill_crops(
            self.filler,
            photo.rgb,
            hole,
            crops,
            seeds,
            guide,
            device=self.device,
            bf16=self.bf16,
            remove_seams=self.remove_seams,
        )
        for i, (which, flat, rgb01) in enumerate(filled):
            fills01[which, np.searchsorted(place, flat)] = rgb01
            report((i + 1) / (steps + 1), f"Filling {i + 1} of {steps}" if steps > 1 else "Filling")
        photos = [photo.composite(fill01, hole) for fill01 in fills01]
        report(1.0, "Done")
        seconds = (time.perf_counter() - started) / len(seeds)
        results = [FillResult(filled, hole, seconds, seed) for filled, seed in zip(photos, seeds)]
        return results[0] if variations is None else results

    def _seeds(self, seed: int, count: int) -> range:
        if count < 1:
            raise ConfigError(f"Ask for 1 variation or more, not {count}.")
        if count > 1 and not self.draws:  # an error, because equal fills would pass for the model's choice
            raise ConfigError(
                "This model has one fill for a hole. Ask for 1 variation, or choose a model that draws, such "
                f"as {BUNDLED_SPN}."
            )
        if seed < 0 or seed + count - 1 > MAX_SEED:
            raise ConfigError(f"Seeds are whole numbers from 0 to {MAX_SEED}, {seed} is out of range.")
        return range(seed, seed + count)

    def priors(
        self, photo: PhotoSource | Photo, mask: MaskSource, *, seed: int = 0, clusters: int = CLUSTERS
    ) -> list[PriorView]:
        """What an SPN expects in the hole: its priors, coarsest first, as so many clusters.

        Of the crop with the most hole, at its working size; a view for `seed` and one for the next, or one
        alone where the model does not draw. Raises ConfigError for a SAIR, and what `fill` raises.
        """
        if not isinstance(self.model, Spn):
            raise ConfigError("Only an SPN predicts priors. Choose one that was trained with --model spn.")
        seeds = self._seeds(seed, 2 if self.draws else 1)
        photo, hole = _opened(photo, mask)
        crop, _ = max(plan_crops(hole, max_hole_work_px=MAX_HOLE_WORK_PX), key=lambda pair: pair[1].sum())
        known01 = photo.rgb[crop.slices].astype(np.float32) / 255
        with autocast(self.device, self.bf16):
            rgb01, hole01 = reduced(known01, hole[crop.slices], crop, self.device)
            return read_priors(self.model, rgb01, hole01, seeds, clusters)

    def _guide(self, words: str | Sequence[str], strength: float) -> Guide:
        names = parse_labels(words)
        if not self.filler.listens:
            raise LabelError(
                f"This model fills by colour alone, so it cannot be told to fill with {names[0]!r}. Leave "
                "the words out, or choose a model that was trained with semantics."
            )
        if not 0 <= strength <= 1:
            raise LabelError(f"The strength of words must be between 0 and 1, got {strength:g}.")
        return F.normalize(self.reader.text.embed(names).mean(dim=0, keepdim=True), dim=1), strength

    @property
    def sair(self) -> Sair:
        """What draws between the pixels and names them: the model itself, or beside an SPN, which can do
        neither, the bundled SAIR; loaded at need."""
        if self._sair is None:
            model = load_model(BUNDLED_SAIR)
            self._sair = model.to(self.device, memory_format=torch.channels_last)
        return self._sair

    @property
    def reader(self) -> SemanticReader:
        """What names pixels: the SAIR's own encoder when it has one, else the bundled one; built at need."""
        if self._reader is None:
            options = {"device": str(self.device), "bf16": self.bf16, "mirror": self.mirror}
            encoder = self.sair.semantic_encoder
            if encoder is not None:
                text = build_text_encoder(encoder, self.sair.config.semantic)
                model = None if self.sair.sir is None else self.sair
                self._reader = SemanticReader(encoder, text, model=model, **options)
            else:
                self._reader = SemanticReader.from_pretrained(**options)
        return self._reader

    def semantics(
        self,
        photo: PhotoSource | Photo,
        labels: str | Sequence[str],
        mask: MaskSource | None = None,
        *,
        complete: bool = True,
        denoise: float = 0.0,
        window: Window | None = None,
    ) -> SemanticMap:
        """Name every pixel of a photo.

        labels: "sky, car" or a list; "everything else" stands for what none of the others is. mask: a hole
        that is not looked into; complete: with a model that has semantics, SIR says what it hides.
        denoise: labels that are nowhere more likely than this are left out. window: the map of this window
        of the photo, at its scale, instead of the photo's own pixels.
        The same photo and mask with other labels is answered at once.

        Raises LabelError, PhotoError and MaskError kinds.
        """
        names = parse_labels(labels)
        photo = _photo(photo)
        hole = None if mask is None else as_mask(mask, photo.size_px)
        if hole is not None and hole.all():
            raise FullMaskError("The mask covers the whole photo. Leave some of it to look at.")
        embedding = self.reader.read(photo.rgb, hole, complete=complete)
        return self.reader.name(embedding, names, denoise=denoise, window=window)

    def mask_from_words(self, photo: PhotoSource | Photo, words: str | Sequence[str]) -> Image.Image:
        """A mask (PIL "L", 255 = hole) of all that the words name. It is empty when the photo shows none.

        Raises LabelError and PhotoError kinds.
        """
        names = [name for name in parse_labels(words) if name != EVERYTHING_ELSE]
        if not names:
            raise LabelError("Name what should be selected, for example: car, person.")
        photo = _photo(photo)
        found = self.reader.name(self.reader.read(photo.rgb), [*names, EVERYTHING_ELSE])
        return mask_to_image(found.mask(names))

    def view(
        self,
        photo: PhotoSource | Photo,
        mask: MaskSource | None = None,
        centre_yx: tuple[float, float] = (0.0, 0.0),
        scale: float = 1.0,
        size_px: tuple[int, int] = (768, 1024),
        *,
        window: Window | None = None,
        cache: FeatureCache | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Image.Image:
        """What is seen of a photo through a window: a PIL image, "RGB", of size_px (height, width).

        mask: a hole to fill first. centre_yx: the middle of the window, in [-1, 1] over the photo. scale:
        output px per photo px in [1/64, 64]; at 1 these are the photo's own pixels. What lies outside the
        photo is black. window: instead of centre, scale and size. Only what is shown is decoded, from
        features that are kept in `cache` (the pipeline's own unless given): moving and zooming encodes
        nothing twice.

        Raises ConfigError, PhotoError and MaskError kinds; CancelledError soon after `cancelled` says so.
        """
        photo, cache = self._seen(photo, mask, cache)
        window = window or Window.around(photo.size_px, centre_yx, scale, size_px)
        report, stop = progress or no_progress, cancelled or never_cancelled
        return Image.fromarray(self._function(photo, cache).render(window, report, stop))

    def export(
        self,
        photo: PhotoSource | Photo,
        path: str | Path,
        *,
        scale: float = 2.0,
        mask: MaskSource | None = None,
        window: Window | None = None,
        quality: int = 95,
        cache: FeatureCache | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> tuple[int, int]:
        """Write the whole photo at `scale` times its size, or a window of it, to a file; `(height, width)`.

        path: its suffix says the format: .png, .jpg, .webp (at most 100 megapixels, quality 1 to 100) or
        .tif, which goes straight to disk at any size. Alpha and the ICC profile are kept. Rendered piece by
        piece: memory does not grow with the output. The rest as in `view`; without a cache, little of
        what is encoded is kept.
        """
        cache = FeatureCache(EXPORT_CACHE_BYTES) if cache is None else cache
        photo, cache = self._seen(photo, mask, cache)
        window = window or Window.whole(photo.size_px, scale)
        rows, columns = window.inside(photo.size_px)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            raise ConfigError("The window lies outside the photo. Choose a part of the photo.")
        window = window.part(rows, columns)
        report, stop = progress or no_progress, cancelled or never_cancelled
        function = self._function(photo, cache)
        export(function, path, window, quality=quality, progress=report, cancelled=stop)
        return window.size_px

    def _seen(
        self, photo: PhotoSource | Photo, mask: MaskSource | None, cache: FeatureCache | None
    ) -> tuple[Photo, FeatureCache]:
        """The photo with its hole filled, and the cache for it. The last filled one is remembered."""
        photo = _photo(photo)
        if mask is not None:
            hole = as_mask(mask, photo.size_px)
            key = _content(photo, hole)
            if self._filled is None or self._filled[0] != key:
                self._filled = key, self.fill(photo, hole).photo
            photo = self._filled[1]
        return photo, self._cache if cache is None else cache

    def _function(self, photo: Photo, cache: FeatureCache) -> PhotoFunction:
        options = {"device": self.device, "bf16": self.bf16, "key": self._key}
        return PhotoFunction(self.sair, photo, cache, **options)


def _content(photo: Photo, hole: np.ndarray) -> bytes:
    """A name for a photo with a hole, the same whoever opened it."""
    facts = (photo.size_px, photo.mode, photo.icc_profile, photo.exif)
    digest = hashlib.blake2b(repr(facts).encode(), digest_size=16)
    for array in (photo.rgb, photo.alpha, np.packbits(hole)):
        if array is not None:
            digest.update(np.ascontiguousarray(array))
    return digest.digest()


def _opened(photo: PhotoSource | Photo, mask: MaskSource) -> tuple[Photo, np.ndarray]:
    """The photo, and a mask of it that leaves something to do and something to do it with."""
    photo = _photo(photo)
    hole = as_mask(mask, photo.size_px)
    if not hole.any():
        raise EmptyMaskError("The mask is empty. Paint over what should go, then fill.")
    if hole.all():
        raise FullMaskError("The mask covers the whole photo. Leave some of it to fill from.")
    return photo, hole


def _photo(photo: PhotoSource | Photo) -> Photo:
    return photo if isinstance(photo, Photo) else load_photo(photo)
