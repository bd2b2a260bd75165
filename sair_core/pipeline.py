"""From photos to photos: crops, working sizes, tensors, compositing. Models know none of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage
from torch import Tensor

from sair_core.coords import cell_of, pixel_coords
from sair_core.crops import Crop, plan_crops
from sair_core.devices import autocast, pick_device
from sair_core.encoders.text import build_text_encoder
from sair_core.errors import ConfigError, EmptyMaskError, FullMaskError, LabelError
from sair_core.export import export
from sair_core.harmonic import remove_seam
from sair_core.hub import load_model
from sair_core.images import Photo, PhotoSource, load_photo
from sair_core.masks import MaskSource, as_mask, mask_to_image
from sair_core.models.sair import Sair, decode_chunked
from sair_core.reduce import reduce_known
from sair_core.semantic_map import SemanticMap
from sair_core.semantics import SemanticReader
from sair_core.window import Window
from sair_core.words import EVERYTHING_ELSE, parse_labels
from sair_core.zoom import FeatureCache, PhotoFunction, model_key

MAX_HOLE_WORK_PX = 192  # training showed holes up to about this thick; thicker ones are worked on reduced
Guide = tuple[Tensor, float]  # a text embedding (1, D) and how much it counts, in [0, 1]
ProgressCallback = Callable[[float, str], None]


@dataclass(frozen=True)
class FillResult:
    """A filled photo.

    image: PIL, of the photo's size (upright) and mode; known pixels bit-identical to the photo's.
    mask: bool `(H, W)`, what was filled. seconds: time taken. seed: what the fill was drawn with.
    """

    image: Image.Image
    mask: np.ndarray
    seconds: float
    seed: int


class InpaintPipeline:
    """Fills holes in photos of any size."""

    def __init__(self, model: Sair, *, device: str = "auto", bf16: bool = True, mirror: bool = True):
        """A pipeline around a model.

        device: auto, cpu, cuda, cuda:1 or mps. bf16: compute in bfloat16 where the hardware has it; differs
        from float32 by under 2/255 on average. mirror: average the fill with that of the mirrored photo, for
        twice the encoder's time.
        """
        self.device = pick_device(device)
        self.model = model.to(self.device, memory_format=torch.channels_last).eval()
        self.bf16 = bf16
        self.mirror = mirror
        self._reader: SemanticReader | None = None
        self._cache = FeatureCache()
        self._key = model_key()
        self._filled: tuple[Photo, np.ndarray, Photo] | None = None

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path = "sair-lite", *, device: str = "auto", **options: bool
    ) -> InpaintPipeline:
        """name_or_path: a bundled name, a checkpoint folder, or a hub id; the rest as in the constructor.

        Raises ModelNotFoundError, CheckpointError or DeviceError.
        """
        return cls(load_model(name_or_path), device=device, **options)

    def fill(
        self,
        photo: PhotoSource | Photo,
        mask: MaskSource,
        *,
        seed: int = 0,
        words: str | Sequence[str] | None = None,
        strength: float = 1.0,
        progress: ProgressCallback | None = None,
    ) -> FillResult:
        """Fill the hole in a photo.

        photo: PIL image, array, path, file bytes or `Photo`; mask: PIL image, array or path, white or True
        = fill. Each blob of the mask gets a crop with context; the crop is encoded at the model's working
        size and its hole pixels are decoded at the photo's own resolution. seed: kept for models that draw; a
        SAIR does not, so the same photo and mask always give the same result on one machine.
        words: what to fill with, "grass" or several; only a model with semantics listens. strength: how much
        of what it would have put there gives way to them, in [0, 1].
        progress: called with a share in [0, 1] and a short text.

        Raises PhotoError, MaskError and their kinds: EmptyMaskError, FullMaskError, MaskSizeError,
        PhotoTooLargeError; LabelError for words that cannot be used.
        """
        started = time.perf_counter()
        report = progress or (lambda share, text: None)
        if not isinstance(photo, Photo):
            report(0.0, "Opening the photo")
            photo = load_photo(photo)
        hole = as_mask(mask, photo.size_px)
        if not hole.any():
            raise EmptyMaskError("The mask is empty. Paint over what should go, then fill.")
        if hole.all():
            raise FullMaskError("The mask covers the whole photo. Leave some of it to fill from.")
        guide = None if words is None else self._guide(words, strength)
        fill01 = np.empty((np.count_nonzero(hole), 3), np.float32)
        place = np.flatnonzero(hole)
        crops = plan_crops(hole, max_hole_work_px=MAX_HOLE_WORK_PX)
        for i, (crop, rows, columns, rgb01) in enumerate(self._fill_crops(photo.rgb, hole, crops, guide)):
            flat = (rows + crop.top) * hole.shape[1] + columns + crop.left
            fill01[np.searchsorted(place, flat)] = rgb01
            report(
                (i + 1) / (len(crops) + 1),
                f"Filling {i + 1} of {len(crops)}" if len(crops) > 1 else "Filling",
            )
        image = photo.composite(fill01, hole)
        report(1.0, "Done")
        return FillResult(image, hole, time.perf_counter() - started, seed)

    def _guide(self, words: str | Sequence[str], strength: float) -> Guide:
        names = parse_labels(words)
        if self.model.semantic_encoder is None:
            raise LabelError(
                f"This model fills by colour alone, so it cannot be told to fill with {names[0]!r}. Leave "
                "the words out, or choose a model that was trained with semantics."
            )
        if not 0 <= strength <= 1:
            raise LabelError(f"The strength of words must be between 0 and 1, got {strength:g}.")
        return F.normalize(self.reader.text.embed(names).mean(dim=0, keepdim=True), dim=1), strength

    @property
    def reader(self) -> SemanticReader:
        """What names pixels: the model's own encoder when it has one, else the bundled one; built at need."""
        if self._reader is None:
            options = {"device": str(self.device), "bf16": self.bf16, "mirror": self.mirror}
            if self.model.semantic_encoder is not None:
                encoder = self.model.semantic_encoder
                text = build_text_encoder(encoder, self.model.config.semantic)
                self._reader = SemanticReader(encoder, text, model=self.model, **options)
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
        if not isinstance(photo, Photo):
            photo = load_photo(photo)
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
        found = self.semantics(photo, [*names, EVERYTHING_ELSE])
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
        progress: ProgressCallback | None = None,
        cancelled: Callable[[], bool] | None = None,
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
        report, stop = progress or (lambda share, text: None), cancelled or (lambda: False)
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
        progress: ProgressCallback | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> tuple[int, int]:
        """Write the whole photo at `scale` times its size, or a window of it, to a file; `(height, width)`.

        path: its suffix says the format: .png, .jpg, .webp (at most 100 megapixels, quality 1 to 100) or
        .tif, which goes straight to disk at any size. Alpha and the ICC profile are kept. Rendered piece by
        piece: memory does not grow with the output. The rest as in `view`.
        """
        photo, cache = self._seen(photo, mask, cache)
        window = window or Window.whole(photo.size_px, scale)
        rows, columns = window.inside(photo.size_px)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            raise ConfigError("The window lies outside the photo. Choose a part of the photo.")
        window = window.part(rows, columns)
        report, stop = progress or (lambda share, text: None), cancelled or (lambda: False)
        function = self._function(photo, cache)
        export(function, path, window, quality=quality, progress=report, cancelled=stop)
        return window.size_px

    def _seen(
        self, photo: PhotoSource | Photo, mask: MaskSource | None, cache: FeatureCache | None
    ) -> tuple[Photo, FeatureCache]:
        """The photo with its hole filled, and the cache for it. The last filled one is remembered."""
        if not isinstance(photo, Photo):
            photo = load_photo(photo)
        if mask is not None:
            hole = as_mask(mask, photo.size_px)
            if self._filled is None or self._filled[0] is not photo or (self._filled[1] != hole).any():
                self._filled = photo, hole, load_photo(self.fill(photo, hole).image)
            photo = self._filled[2]
        return photo, self._cache if cache is None else cache

    def _function(self, photo: Photo, cache: FeatureCache) -> PhotoFunction:
        options = {"device": self.device, "bf16": self.bf16, "key": self._key}
        return PhotoFunction(self.model, photo, cache, **options)

    def _fill_crops(
        self,
        rgb: np.ndarray,
        hole: np.ndarray,
        crops: list[tuple[Crop, np.ndarray]],
        guide: Guide | None,
    ) -> Iterator[tuple[Crop, np.ndarray, np.ndarray, np.ndarray]]:
        """Yields crop, rows and columns inside it, and colours `(N, 3)` in [0, 1] for each.

        What an earlier crop filled is known to the later ones, so a hole cut in two has no seam either.
        """
        done: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for crop, part in crops:
            known01 = rgb[crop.slices].astype(np.float32) / 255
            open_hole = hole[crop.slices].copy()
            for rows, columns, values in done:
                rows, columns = rows - crop.top, columns - crop.left
                inside = (rows >= 0) & (rows < crop.height) & (columns >= 0) & (columns < crop.width)
                known01[rows[inside], columns[inside]] = values[inside]
                open_hole[rows[inside], columns[inside]] = False
            # The seam is removed over all of the hole that this crop sees, though only its part is kept:
            # where another crop's part begins there is no known colour to meet.
            wanted = part | (ndimage.binary_dilation(open_hole) & ~open_hole)
            filled01 = self._predict(known01, open_hole, wanted, (crop.work_height, crop.work_width), guide)
            rows, columns = np.nonzero(part)
            values = remove_seam(filled01, known01, open_hole)[rows, columns].clip(0, 1)
            if len(crops) > 1:
                done.append((rows + crop.top, columns + crop.left, values))
            yield crop, rows, columns, values

    @torch.inference_mode()
    def _predict(
        self,
        known01: np.ndarray,
        hole: np.ndarray,
        wanted: np.ndarray,
        work_px: tuple[int, int],
        guide: Guide | None = None,
    ) -> np.ndarray:
        """The model's colours, float32 `(H, W, 3)`, at `wanted` (bool `(H, W)`); 0 elsewhere."""
        rgb01 = torch.from_numpy(known01).to(self.device).permute(2, 0, 1)[None]
        hole01 = torch.from_numpy(hole).to(self.device)[None, None].float()
        rgb01, hole01 = reduce_known(rgb01, hole01, work_px)
        rows, columns = torch.from_numpy(wanted).nonzero(as_tuple=True)
        coords = pixel_coords(rows, columns, wanted.shape).to(self.device)[None]
        if self.mirror:
            rgb01, hole01 = (torch.cat([x, x.flip(-1)]) for x in (rgb01, hole01))
            coords = torch.cat([coords, coords * coords.new_tensor([1, -1])])  # (y, x): x changes its sign
        cell = cell_of(wanted.shape, device=self.device).expand(len(coords), -1)
        with autocast(self.device, self.bf16):
            words, strength = guide or (None, 1.0)
            features = self.model.encode(
                rgb01.contiguous(memory_format=torch.channels_last), hole01, words=words, strength=strength
            )
            values = decode_chunked(self.model, features, coords, cell)
        out = np.zeros_like(known01)
        out[wanted] = values.mean(dim=0).cpu().numpy()
        return out
