"""What becomes of fills: a result that is kept and shown, or several to choose from."""

from __future__ import annotations

import logging
from itertools import chain

import numpy as np

from sair_core.photos.photo import Photo
from sair_core.stages import log_stages, stage

from ..session import Session, Variations
from ..widgets.pictures import encode_patches
from ..widgets.protocol import Answer, Request

log = logging.getLogger(__name__)


def keep_result(
    request: Request, session: Session, base: str, filled: Photo, mask: np.ndarray, text: str
) -> Answer:
    """Keep what was made of the photo with the id `base`, and show it. text: how it came about."""
    # What is edited is that of the request: meanwhile it may be another one than what was filled.
    result = session.add(filled, keep=request.base)
    more = {"result": result, "base": base, "live": list(session.results)}
    text = f"{text} Drag the divider to compare. Your mask is kept in Paint."
    with log_stages(log, "answer"), stage("pictures"):
        pictures = encode_patches(filled, mask)
    return Answer("result", "good", text, pictures, more=more)


def offer_variations(session: Session, variations: Variations, text: str) -> Answer:
    """Keep several fills of one hole, and show them to choose from. text: how they came about."""
    session.variations = variations
    with log_stages(log, "answer"), stage("pictures"):
        pictures = [encode_patches(filled, variations.mask) for filled in variations.photos.values()]
    more = {"base": variations.of, "seeds": list(variations.photos), "parts": len(pictures[0])}
    return Answer("variations", "good", text, tuple(chain.from_iterable(pictures)), more=more)
