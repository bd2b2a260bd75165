"""From photos to photos of any size and mode: fills, views, files, maps. Models know tensors only."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import overload

import numpy as np
import torch.nn.functional as F
from cachetools import LRUCache
from PIL import Image

from sair_core.devices import pick_device
from sair_core.errors import ConfigError, FullMaskError, LabelError
from sair_core.filling.adapters import Filler, Guide, build_filler
from sair_core.filling.engine import fill_photo
from sair_core.filling.engines import load_engine
from sair_core.filling.fill import is_reduced, open_hole
from sair_core.filling.guides import GuideCache
from sair_core.filling.natural import Sources, prefer_named, read_sources
from sair_core.filling.priors import CLUSTERS, PriorView, read_priors
from sair_core.filling.result import FillResult
from sair_core.filling.texture import TextureConfig
from sair_core.layout import choose_layout
from sair_core.models.inpainter import Inpainter
from sair_core.models.load import load_model
from sair_core.models.sair import Sair
from sair_core.models.spn import Spn
from sair_core.photos.masks import MaskSource, mask_to_image
from sair_core.photos.photo import Photo, PhotoSource, as_photo
from sair_core.progress import Cancelled, Progress, never_cancelled, no_progress
from sair_core.seeds import seed_range
from sair_core.semantics.map import SemanticMap
from sair_core.semantics.points import Labels, Points
from sair_core.semantics.reader import SemanticReader
from sair_core.semantics.selector import PointSelector
from sair_core.semantics.words import EVERYTHING_ELSE, parse_labels
from sair_core.stages import stage
from sair_core.weights.bundled import BUNDLED_SAIR, BUNDLED_SPN
from sair_core.window import Window
from sair_core.zoom.cache import FeatureCache, model_key
from sair_core.zoom.export import export, read_format
from sair_core.zoom.function import PhotoFunction

EXPORT_CACHE_BYTES = 80 * 2**20
Words = str | Sequence[str]  # "sky, car" or a list
Texture = bool | TextureConfig | None  # None: as it is by default


class InpaintPipeline:
    """Fills holes in photos of any size, shows photos at any scale and names what is in them.

    It remembers, within limits, what it computed of photos: features of those that were viewed, readings of
    those that were named, the last one that was filled to be viewed, and what the model made of the holes of
    the last one. `close`, or the end of a `with` block, frees that.
    """

    def __init__(
        self,
        model: Sair | Spn | Inpainter,
        *,
        device: str = "auto",
        bf16: bool = True,
        mirror: bool = False,
        remove_seams: bool = True,
        texture: Texture = None,
    ):
        """A pipeline around a model.

        device: auto, cpu, cuda, cuda:1 or mps. bf16: compute in bfloat16 where that is faster; differs from
        float32 by under 2/255 on average. mirror: average what a SAIR says with what it says of the
        mirrored photo, for twice the time and 0.03 dB. remove_seams: correct a fill so that it meets the
        photo at the hole's border; without, it is what the model alone says. texture: whether fills, and
        what is viewed and exported of them, get texture from the photo unless `fill` is told otherwise; by
        default a SAIR's do, an SPN's, which has its own, do not, and those of an Inpainter do where the hole
        is too thick for it to be painted at the photo's resolution. A TextureConfig is True with other
        options.
        """
        self.device = pick_device(device)
        self.layout = choose_layout(self.device)
        self.model = model.to(self.device).to(memory_format=self.layout.memory_format).eval()
        self.bf16 = bf16 and self.layout.bf16
        self.mirror = mirror
        self.remove_seams = remove_seams
        by_default = None if isinstance(model, Inpainter) else isinstance(model, Sair)
        self.texture: Texture = by_default if texture is None else texture
        self.filler: Filler = build_filler(model, mirror)
        self._sair = model if isinstance(model, Sair) else None
        self._reader: SemanticReader | None = None
        self._selector: PointSelector | None = None
        self._features = FeatureCache()
        self._key = model_key()
        self._filled: LRUCache[bytes, Photo] = LRUCache(1)
        self._guides = GuideCache()

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path = BUNDLED_SAIR,
        *,
        engine: str | None = None,
        device: str = "auto",
        bf16: bool = True,
        mirror: bool = False,
        remove_seams: bool = True,
        texture: Texture = None,
    ) -> InpaintPipeline:
        """Load a model and build a pipeline around it.

        name_or_path: a bundled name, a checkpoint folder, or a hub id. engine: "natural", "smooth" or
        "painted", which say whether the model's fills get texture, or an inpainting model of others instead
        of it, as a file or hub id. The rest as in the constructor.

        Raises ModelNotFoundError, CheckpointError or DeviceError; with an engine what `load_engine` raises.
        """
        model: Sair | Spn | Inpainter
        if engine is None:
            model = load_model(name_or_path)
        else:
            model, engine_texture = load_engine(engine, name_or_path)
            texture = engine_texture if texture is None else texture
        return cls(model, device=device, bf16=bf16, mirror=mirror, remove_seams=remove_seams, texture=texture)

    def close(self) -> None:
        """Free what is remembered of photos, and what was loaded beside the model: the encoder that names
        pixels, and the SAIR that draws for an SPN.

        The model stays, and the pipeline may be used again: it then begins as if it were new.
        """
        self._features.clear()
        self._filled.clear()
        self._guides.clear()
        if self._selector is not None:
            self._selector.close()
            self._selector = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._sair is not self.model:
            self._sair = None

    def __enter__(self) -> InpaintPipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def draws(self) -> bool:
        """Whether every seed is another fill: so with texture, and with a probabilistic SPN."""
        return self.filler.draws or bool(self.texture)

    @overload
    def fill(
        self,
        photo: PhotoSource,
        mask: MaskSource,
        *,
        seed: int = 0,
        variations: None = None,
        words: Words | None = None,
        strength: float = 1.0,
        texture: Texture = None,
        source: MaskSource | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> FillResult: ...

    @overload
    def fill(
        self,
        photo: PhotoSource,
        mask: MaskSource,
        *,
        seed: int = 0,
        variations: int,
        words: Words | None = None,
        strength: float = 1.0,
        texture: Texture = None,
        source: MaskSource | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> list[FillResult]: ...

    def fill(
        self,
        photo: PhotoSource,
        mask: MaskSource,
        *,
        seed: int = 0,
        variations: int | None = None,
        words: Words | None = None,
        strength: float = 1.0,
        texture: Texture = None,
        source: MaskSource | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> FillResult | list[FillResult]:
        """Fill the hole in a photo.

        photo: PIL image, array, path, file bytes or `Photo`; mask: PIL image, array or path, white or True
        = fill. Each blob of the mask gets a crop with context; the crop is encoded at the model's working
        size and its hole pixels are decoded at the photo's own resolution (an SPN's are enlarged to it).
        texture: True copies texture from the photo into the hole, guided by what the model fills it with;
        False leaves it at that; None is as the pipeline was built. A TextureConfig is True with its options.
        seed: where texture is copied from and what a model that `draws` paints; all else is the same for any.
        words: what to fill with, "grass" or several: texture is taken from where the photo shows it, and a
        model with semantics moves its colours. strength: how much of what it would have put there gives way,
        in [0, 1]. source: a mask as above, the only part of the photo that texture may be taken from.
        progress: called with a share in [0, 1] and a short text. cancelled: asked before every step.
        variations: another way to write `variations(photo, mask, count)`.

        Raises PhotoError, MaskError and their kinds: EmptyMaskError, FullMaskError, MaskSizeError,
        PhotoTooLargeError; LabelError for words that cannot be used; ConfigError for a seed out of range and
        for sources without texture; CancelledError soon after `cancelled` says so.
        """
        count = 1 if variations is None else variations
        results = self.variations(
            photo,
            mask,
            count,
            seed=seed,
            words=words,
            strength=strength,
            texture=texture,
            source=source,
            progress=progress,
            cancelled=cancelled,
        )
        return results[0] if variations is None else results

    def variations(
        self,
        photo: PhotoSource,
        mask: MaskSource,
        count: int,
        *,
        seed: int = 0,
        words: Words | None = None,
        strength: float = 1.0,
        texture: Texture = None,
        source: MaskSource | None = None,
        progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> list[FillResult]:
        """Fill the hole in a photo `count` times, with the seeds seed, seed + 1, ...

        Each is what `fill` gives with its seed alone; the photo is encoded once. The rest as in `fill`.
        Raises what `fill` raises, and ConfigError for several variations from a model that has one.
        """
        started = time.perf_counter()
        report = progress or no_progress
        if not isinstance(photo, Photo):
            report(0.0, "Opening the photo")
        with stage("open"):
            photo, hole = open_hole(photo, mask)
        config = self._texture(texture, hole, asked=not (source is None and words is None))
        seeds = self._seeds(seed, count, drawn=self.filler.draws or config is not None)
        if source is not None and config is None:
            raise ConfigError(
                "A source says where texture comes from, and this fill takes none. Leave it out."
            )
        filled = fill_photo(
            self.filler,
            photo,
            hole,
            seeds,
            self._guide(words, strength, needed=config is None),
            texture=config,
            sources=Sources() if config is None else self._sources(photo, hole, config, words, source),
            device=self.device,
            bf16=self.bf16,
            remove_seams=self.remove_seams,
            guides=self._guides,
            progress=report,
            cancelled=cancelled or never_cancelled,
        )
        report(1.0, "Done")
        seconds = (time.perf_counter() - started) / len(seeds)
        return [FillResult(one, hole, seconds, seed, note) for (one, note), seed in zip(filled, seeds)]

    def _texture(self, texture: Texture, hole: np.ndarray, *, asked: bool) -> TextureConfig | None:
        """Return the options of the texture that a fill gets; None for none.

        asked: where nothing else decides it gets some even if the model paints at the photo's resolution.
        """
        chosen = self.texture if texture is None else texture
        if chosen is None:
            chosen = asked or is_reduced(hole)
        if isinstance(chosen, TextureConfig):
            return chosen
        return TextureConfig() if chosen else None

    def _sources(
        self,
        photo: Photo,
        hole: np.ndarray,
        config: TextureConfig,
        words: Words | None,
        source: MaskSource | None,
    ) -> Sources:
        """Return where a fill's texture may come from."""
        meaning = self.reader.read(photo.rgb, hole).vectors if config.semantic_guide else None
        where = None if source is None else read_sources(photo, source, hole)
        sources = Sources(where, meaning=meaning)
        names = [] if words is None else [w for w in parse_labels(words) if w != EVERYTHING_ELSE]
        if not names:
            return sources
        named = self.reader.find(photo.rgb, names, hole) & ~hole
        return prefer_named(named, sources, ", ".join(names))

    def priors(
        self, photo: PhotoSource, mask: MaskSource, *, seed: int = 0, clusters: int = CLUSTERS
    ) -> list[PriorView]:
        """Return what an SPN expects in the hole: its priors, coarsest first, as so many clusters.

        Of the crop with the most hole, at its working size; a view for `seed` and one for the next, or one
        alone where the model does not draw. Raises ConfigError for a SAIR, and what `fill` raises.
        """
        if not isinstance(self.model, Spn):
            raise ConfigError("Only an SPN predicts priors. Choose one that was trained with --model spn.")
        seeds = self._seeds(seed, 2 if self.filler.draws else 1, drawn=self.filler.draws)
        photo, hole = open_hole(photo, mask)
        return read_priors(self.model, photo, hole, seeds, clusters, device=self.device, bf16=self.bf16)

    def _seeds(self, seed: int, count: int, *, drawn: bool) -> range:
        if count < 1:
            raise ConfigError(f"Ask for 1 variation or more, not {count}.")
        if count > 1 and not drawn:  # an error, because equal fills would pass for the model's choice
            raise ConfigError(
                "This model has one fill for a hole. Ask for 1 variation, or for texture, or choose a model "
                f"that draws, such as {BUNDLED_SPN}."
            )
        return seed_range(seed, count)

    def _guide(self, words: Words | None, strength: float, *, needed: bool) -> Guide | None:
        """Return what moves the model's colours; None where nothing does.

        needed: nothing else heeds the words.
        """
        if words is None:
            return None
        names = parse_labels(words)
        if not 0 <= strength <= 1:
            raise LabelError(f"The strength of words must be between 0 and 1, got {strength:g}.")
        if not self.filler.listens and needed:
            raise LabelError(
                f"This model fills by colour alone, so it cannot be told to fill with {names[0]!r}. Leave "
                "the words out, or choose a model that was trained with semantics."
            )
        if not self.filler.listens:
            return None
        self.reader.require_known(names)
        return F.normalize(self.reader.text.embed(names).mean(dim=0, keepdim=True), dim=1), strength

    @property
    def sair(self) -> Sair:
        """What draws between the pixels and names them: the model itself, or beside an SPN, which can do
        neither, the bundled SAIR; loaded at need."""
        if self._sair is None:
            model = load_model(BUNDLED_SAIR)
            assert isinstance(model, Sair)
            self._sair = model.to(self.device).to(memory_format=self.layout.memory_format)
        return self._sair

    @property
    def reader(self) -> SemanticReader:
        """What names pixels: the SAIR's own encoder when it has one, else the bundled one; built at need."""
        if self._reader is None:
            self._reader = SemanticReader.from_model(
                self.sair, device=str(self.device), bf16=self.bf16, mirror=self.mirror
            )
        return self._reader

    def prepare(self, photo: PhotoSource) -> None:
        """Read a photo before anything is asked of it: then its first map, words and points cost little.

        Raises PhotoError kinds.
        """
        self.selector.read(as_photo(photo).rgb)

    def semantics(
        self,
        photo: PhotoSource,
        labels: Words,
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
        photo = as_photo(photo)
        hole = None if mask is None else photo.read_mask(mask)
        if hole is not None and hole.all():
            raise FullMaskError("The mask covers the whole photo. Leave some of it to look at.")
        embedding = self.reader.read(photo.rgb, hole, complete=complete)
        return self.reader.name(embedding, names, denoise=denoise, window=window)

    def mask_from_words(self, photo: PhotoSource, words: Words) -> Image.Image:
        """Return a mask (PIL "L", 255 = hole) of all that the words name, empty when the photo shows none.

        Raises LabelError and PhotoError kinds.
        """
        names = [name for name in parse_labels(words) if name != EVERYTHING_ELSE]
        if not names:
            raise LabelError("Name what should be selected, for example: car, person.")
        return mask_to_image(self.reader.find(as_photo(photo).rgb, names))

    def mask_from_points(
        self, photo: PhotoSource, points: Points, labels: Labels | None = None, *, grow_px: float = 0.0
    ) -> np.ndarray:
        """Return the mask, bool `(H, W)` of the photo's size, of the object under points.

        points: `(N, 2)`, x and y in pixels of the upright photo; pixel i of an axis reaches from i to i + 1.
        labels: `(N,)`, True = inside the object, False = outside; all inside by default. grow_px: what lies
        so near to the object is selected, too; a few px for a mask that is to be filled.
        The photo is read once: every further point on it is answered at once.

        Raises PointError and PhotoError kinds.
        """
        rgb = as_photo(photo).rgb
        return self.selector.select(rgb, points, labels, grow_px=grow_px)

    @property
    def selector(self) -> PointSelector:
        """What finds the object under points; built at need."""
        if self._selector is None:
            self._selector = PointSelector.from_pretrained(self.reader)
        return self._selector

    def view(
        self,
        photo: PhotoSource,
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
        """Return what a window shows of a photo: a PIL image, "RGB", of size_px (height, width).

        mask: a hole to fill first. centre_yx: the middle of the window, in [-1, 1] over the photo. scale:
        output px per photo px in [1/64, 64]; at 1 these are the photo's own pixels. What lies outside the
        photo is black. window: instead of centre, scale and size. Only what is shown is decoded, from
        features that are kept in `cache` (the pipeline's own unless given): moving and zooming encodes
        nothing twice.

        Raises ConfigError, PhotoError and MaskError kinds; CancelledError soon after `cancelled` says so.
        """
        function = self._function(photo, mask, self._features if cache is None else cache, cancelled)
        window = window or Window.around(function.photo.size_px, centre_yx, scale, size_px)
        return Image.fromarray(function.render(window, progress or no_progress, cancelled or never_cancelled))

    def export(
        self,
        photo: PhotoSource,
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
        """Write the whole photo at `scale` times its size, or a window of it, to a file.

        Returns the `(height, width)` of what was written.

        path: its suffix says the format: .png, .jpg, .webp (at most 100 megapixels, quality 1 to 100) or
        .tif, which goes straight to disk at any size. Alpha and the ICC profile are kept. Rendered piece by
        piece: memory does not grow with the output. The rest as in `view`; without a cache, little of
        what is encoded is kept.
        """
        read_format(Path(path), quality)  # before anything is filled
        cache = FeatureCache(EXPORT_CACHE_BYTES) if cache is None else cache
        function = self._function(photo, mask, cache, cancelled)
        size_px = function.photo.size_px
        window = window or Window.whole(size_px, scale)
        rows, columns = window.inside(size_px)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            raise ConfigError("The window lies outside the photo. Choose a part of the photo.")
        window = window.part(rows, columns)
        export(
            function,
            path,
            window,
            quality=quality,
            progress=progress or no_progress,
            cancelled=cancelled or never_cancelled,
        )
        return window.size_px

    def _function(
        self, photo: PhotoSource, mask: MaskSource | None, cache: FeatureCache, cancelled: Cancelled | None
    ) -> PhotoFunction:
        """Return the photo, its hole filled first, as a function.

        The last one that was filled is remembered.
        """
        photo = as_photo(photo)
        if mask is not None:
            hole = photo.read_mask(mask)
            key = _digest(photo, hole)
            if key not in self._filled:
                self._filled[key] = self.fill(photo, hole, cancelled=cancelled).photo
            photo = self._filled[key]
        return PhotoFunction(self.sair, photo, cache, device=self.device, bf16=self.bf16, key=self._key)


def _digest(photo: Photo, hole: np.ndarray) -> bytes:
    """Return what names a photo with a hole, the same whoever opened it."""
    facts = (photo.size_px, photo.mode, photo.bits, photo.metadata)
    digest = hashlib.blake2b(repr(facts).encode(), digest_size=16)
    for array in (photo.pixels, np.packbits(hole)):
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()
