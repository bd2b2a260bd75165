"""What happens on the server when the mask is changed, opened or saved in the Edit tab."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from sair_core.errors import EmptyMaskError, SairError
from sair_core.photos.masks import grow, hole_ratio, mask_to_image, shrink
from sair_core.photos.write import encode_image

from ..serving.service import FillService
from ..session import Session
from ..widgets.answers import follow, format_share, refuse, send_mask
from ..widgets.pictures import fit_display
from ..widgets.protocol import Answer, Request
from ..widgets.requests import read_mask, require_file, require_session


class MaskActions:
    """Every method takes a Request and the visitor's Session and gives Answers; errors are answers too."""

    def __init__(self, service: FillService):
        self.service = service

    def grow(self, request: Request, session: Session | None, radius_px: float) -> Answer:
        """Grow the painted part by `radius_px` photo px."""
        return self._reshape(request, session, grow, radius_px, f"Mask grown by {radius_px:g} px.")

    def shrink(self, request: Request, session: Session | None, radius_px: float) -> Answer:
        """Shrink the painted part by `radius_px` photo px."""
        return self._reshape(request, session, shrink, radius_px, f"Mask shrunk by {radius_px:g} px.")

    def upload(self, request: Request, session: Session | None) -> Answer:
        """Put an uploaded mask (white = fill) in the place of what is painted."""
        try:
            photo = require_session(request, session).get(request.base)
            mask = photo.read_mask(require_file(request))
        except SairError as error:
            return refuse(error)
        if not mask.any():
            text = "This mask has no white in it, so it marks nothing. White is what gets filled."
            return Answer("notice", "warn", text)
        text = f"Mask opened: {hole_ratio(mask):.1%} of the photo is marked. Press Fill."
        return send_mask(mask, text, fit_display(photo.size_px))

    def select(self, request: Request, session: Session | None, words: str, add: bool) -> Iterator[Answer]:
        """Mark everything that the words name; add: keep what is marked already."""
        try:
            photo = require_session(request, session).get(request.base)
            mask = yield from follow(
                lambda progress: self.service.start_words(photo, words, progress=progress)
            )
        except SairError as error:
            yield refuse(error)
            return
        if not mask.any():
            yield Answer("notice", "warn", f"No {words.strip()} was found in this photo. Try another word.")
            return
        marked = f"{format_share(hole_ratio(mask))} of the photo is {'added' if add else 'marked'}"
        text = f"{words.strip()}: {marked}. Press Fill."
        yield send_mask(mask, text, fit_display(photo.size_px), {"add": add})

    def touch(self, request: Request, session: Session | None, grow_px: float) -> Iterator[Answer]:
        """Mark the thing under the points of the request, and `grow_px` photo px around it."""
        try:
            photo = require_session(request, session).get(request.base)
            mask = yield from follow(
                lambda progress: self.service.start_points(
                    photo, request.points, request.inside, grow_px=grow_px, progress=progress
                )
            )
        except SairError as error:
            yield refuse(error)
            return
        if not mask.any():
            yield Answer("notice", "warn", "Nothing was found there. Click in the middle of the thing.")
            return
        selected = f"{format_share(hole_ratio(mask))} of the photo is selected."
        text = f"{selected} Click again to refine it, with Alt what is none of it, with Shift the next."
        yield send_mask(mask, text, fit_display(photo.size_px), {"touched": True})

    def save(self, request: Request, session: Session | None) -> Answer:
        """Offer the painted mask as a PNG of the photo's size, white = fill."""
        try:
            photo = require_session(request, session).get(request.base)
            mask = read_mask(request, photo.size_px)
            if not mask.any():
                raise EmptyMaskError("There is no mask to save yet. Brush over what should go first.")
        except SairError as error:
            return refuse(error)
        data = encode_image(mask_to_image(mask), "PNG")
        text = "Mask saved: white is what gets filled."
        return Answer("download", "good", text, file=data, name="sair-mask.png")

    def _reshape(
        self,
        request: Request,
        session: Session | None,
        change: Callable[[np.ndarray, float], np.ndarray],
        radius_px: float,
        text: str,
    ) -> Answer:
        try:
            photo = require_session(request, session).get(request.base)
            size = fit_display(photo.size_px)
            mask = read_mask(request, size)
            if not mask.any():
                raise EmptyMaskError("There is nothing painted yet. Brush over what should go first.")
        except SairError as error:
            return refuse(error)
        changed = change(mask, radius_px * size[1] / photo.size_px[1])
        if not changed.any():
            return Answer(
                "notice", "warn", "Shrinking by this much would leave nothing. Choose fewer pixels."
            )
        return send_mask(changed, text)
