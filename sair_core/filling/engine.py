"""What fills a hole: a model alone (Smooth, or Painted by an SPN), or with the photo's texture (Natural)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from sair_core.filling.adapters import Filler, Guide
from sair_core.filling.fill import fill_hole
from sair_core.filling.guides import GuideCache
from sair_core.filling.natural import Sources, fill_natural
from sair_core.filling.texture import TextureConfig
from sair_core.photos.photo import Photo
from sair_core.progress import Cancelled, Progress, never_cancelled, no_progress

GUIDE_SHARE = 0.25  # of the time of a fill with texture that its guide takes, about
GUIDE_HOLE_WORK_PX = 64  # only its low frequencies count: a finer one makes no better fill


def fill_photo(
    filler: Filler,
    photo: Photo,
    hole: np.ndarray,
    seeds: Sequence[int],
    guide: Guide | None = None,
    *,
    texture: TextureConfig | None,
    sources: Sources,
    device: torch.device,
    bf16: bool,
    remove_seams: bool = True,
    guides: GuideCache | None = None,
    progress: Progress = no_progress,
    cancelled: Cancelled = never_cancelled,
) -> list[tuple[Photo, str]]:
    """Fill the hole of a photo once for every seed, each with what has to be said of it ("" for nothing).

    hole: bool `(H, W)` with known pixels beside it. texture: None for the model's colours alone; sources:
    where it may come from. guides: what is kept of the photo's holes, of the same model and options; used
    where neither seeds nor words change what the model says. The rest as in `fill_hole`, whose model is asked
    once where it does not draw.
    Raises CancelledError.
    """

    fill_with_model = partial(
        fill_hole,
        filler,
        photo,
        hole,
        seeds if filler.draws else seeds[:1],
        guide,
        device=device,
        bf16=bf16,
        remove_seams=remove_seams,
        cancelled=cancelled,
    )
    if texture is None:
        fills01 = fill_with_model(progress=progress)
        return [(photo.composite(fill01, hole), "") for fill01 in fills01]
    for most_px in (GUIDE_HOLE_WORK_PX, None):
        fill_as_guide = partial(
            fill_with_model,
            max_hole_work_px=most_px,
            progress=lambda done, text: progress(GUIDE_SHARE * done, text),
        )
        if guides is None or filler.draws or guide is not None:
            guides01 = fill_as_guide()
        else:
            guides01 = guides.get(photo, hole, most_px, fill_as_guide)
        filled = fill_natural(
            photo,
            hole,
            list(guides01) if filler.draws else [guides01[0]] * len(seeds),
            seeds,
            sources,
            texture,
            device=device,
            progress=lambda done, text: progress(GUIDE_SHARE + (1 - GUIDE_SHARE) * done, text),
            cancelled=cancelled,
        )
        if all(one.textured for one in filled):
            break  # else the guide stays in sight, and has to be as fine as the model can make it
    return [(one.photo, one.note) for one in filled]
