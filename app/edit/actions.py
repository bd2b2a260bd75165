"""What happens on the server when something is pressed in the editor."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sair_core.errors import EmptyMaskError, FullMaskError, SairError
from sair_core.photos.masks import as_mask, grow, hole_ratio, mask_to_image, shrink
from sair_core.photos.photo import Photo, encode_image, load_photo

from ..serving.service import FillService
from ..session import Session
from ..widgets.pictures import display_size, patches, preview, thumbnail
from ..widgets.protocol import Answer, Request
from ..widgets.requests import file_of, follow, mask_answer, painted_mask, percent, photo_of, refusal

FORMATS = {"PNG": "png", "JPEG": "jpg", "WebP": "webp"}
EXAMPLE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
HINT = "Brush over what should go, then press Fill."


class EditActions:
    """Every method takes a Request and the visitor's Session and gives an Answer; errors are answers too."""

    def __init__(self, service: FillService, examples: Path):
        self.service = service
        # Only these files can be named by the browser.
        self.examples = {
            f.stem: f for f in sorted(examples.glob("*")) if f.suffix.lower() in EXAMPLE_SUFFIXES
        }

    def example_cards(self) -> list[dict[str, str]]:
        """Name, label and thumbnail (data URI) of each example."""
        cards = []
        for name, path in self.examples.items():
            jpeg = base64.b64encode(thumbnail(load_photo(path), (156, 208))).decode()
            label = name.replace("_", " ").replace("-", " ").capitalize()
            cards.append({"name": name, "label": label, "thumbnail": f"data:image/jpeg;base64,{jpeg}"})
        return cards

    def open(self, request: Request, session: Session | None) -> tuple[Answer, Session | None]:
        """Open an uploaded photo or an example; what was open stays open when this one cannot be read."""
        try:
            source = self.examples.get(request.example or "") or file_of(request)
            photo = load_photo(source, max_megapixels=self.service.max_megapixels)
        except SairError as error:
            return refusal(error), session
        height, width = photo.size_px
        first = " This file holds several pictures: the first one is open." if photo.first_of_several else ""
        text = f"{width} x {height} px.{first} {HINT}"
        more = {"width": width, "height": height, "alpha": photo.alpha is not None}
        if session is not None:
            session.stop()
        answer = Answer("photo", text=text, pictures=(preview(photo),), more=more)
        return answer, Session(photo, before=session)

    def fill(
        self, request: Request, session: Session | None, words: str = "", strength: float = 1.0
    ) -> Iterator[Answer]:
        """Fill the painted part, with what the words name if there are any. Answers with progress until the
        result is there."""
        try:
            photo = photo_of(request, session)
            mask = painted_mask(request, photo.size_px)
            check_hole(mask)
            assert session is not None
            result = yield from follow(
                lambda report: self.service.start(
                    photo, mask, words=words, strength=strength, progress=report
                )
            )
        except SairError as error:
            yield refusal(error)
            return
        what = f"Filled with {words.strip()}" if words.strip() else "Filled"
        text = f"{what} in {result.seconds:.1f} s."
        yield result_answer(request, session, request.base, result.photo, mask, text)

    def grow(self, request: Request, session: Session | None, radius_px: float) -> Answer:
        """Grow the painted part by `radius_px` photo px."""
        return _reshaped(request, session, grow, radius_px, f"Mask grown by {radius_px:g} px.")

    def shrink(self, request: Request, session: Session | None, radius_px: float) -> Answer:
        """Shrink the painted part by `radius_px` photo px."""
        return _reshaped(request, session, shrink, radius_px, f"Mask shrunk by {radius_px:g} px.")

    def upload_mask(self, request: Request, session: Session | None) -> Answer:
        """Put an uploaded mask (white = fill) in the place of what is painted."""
        try:
            photo = photo_of(request, session)
            mask = as_mask(file_of(request), photo.size_px)
        except SairError as error:
            return refusal(error)
        height, width = display_size(photo.size_px)
        if not mask.any():
            return Answer(
                "notice",
                "warn",
                "This mask has no white in it, so it marks nothing. White is what gets filled.",
            )
        text = f"Mask opened: {hole_ratio(mask):.1%} of the photo is marked. Press Fill."
        return mask_answer(mask, text, (height, width))

    def select(self, request: Request, session: Session | None, words: str, add: bool) -> Iterator[Answer]:
        """Mark everything that the words name; add: keep what is marked already."""
        try:
            photo = photo_of(request, session)
            mask = yield from follow(lambda report: self.service.start_words(photo, words, progress=report))
        except SairError as error:
            yield refusal(error)
            return
        if not mask.any():
            yield Answer("notice", "warn", f"No {words.strip()} was found in this photo. Try another word.")
            return
        marked = f"{percent(hole_ratio(mask))} of the photo is {'added' if add else 'marked'}"
        text = f"{words.strip()}: {marked}. Press Fill."
        yield mask_answer(mask, text, display_size(photo.size_px), add=add)

    def save_mask(self, request: Request, session: Session | None) -> Answer:
        """Offer the painted mask as a PNG of the photo's size, white = fill."""
        try:
            photo = photo_of(request, session)
            mask = painted_mask(request, photo.size_px)
            if not mask.any():
                raise EmptyMaskError("There is no mask to save yet. Brush over what should go first.")
        except SairError as error:
            return refusal(error)
        data = encode_image(mask_to_image(mask), "PNG")
        return Answer(
            "download", "good", "Mask saved: white is what gets filled.", file=data, name="sair-mask.png"
        )

    def save(self, request: Request, session: Session | None, format: str, quality: float) -> Answer:
        """Offer the shown result as a file: its own size, mode, profile and EXIF."""
        try:
            photo_of(request, session)
            assert session is not None
            if request.shown is None:
                return Answer(
                    "notice", "warn", "There is no result to save yet. Paint something and press Fill first."
                )
            data = encode_image(session.get(request.shown).to_image(), format, int(quality))
        except SairError as error:
            return refusal(error)
        text = f"Saved result {request.shown} as {format}, {len(data) / 1e6:.1f} MB."
        return Answer(
            "download", "good", text, file=data, name=f"sair-result-{request.shown}.{FORMATS[format]}"
        )


def _reshaped(
    request: Request, session: Session | None, change: Callable, radius_px: float, text: str
) -> Answer:
    try:
        photo = photo_of(request, session)
        size = display_size(photo.size_px)
        mask = painted_mask(request, size)
        if not mask.any():
            raise EmptyMaskError("There is nothing painted yet. Brush over what should go first.")
    except SairError as error:
        return refusal(error)
    changed = change(mask, radius_px * size[1] / photo.size_px[1])
    if not changed.any():
        return Answer("notice", "warn", "Shrinking by this much would leave nothing. Choose fewer pixels.")
    return mask_answer(changed, text)


def result_answer(
    request: Request, session: Session, base: str, filled: Photo, mask: np.ndarray, text: str
) -> Answer:
    """Keep what was made of the photo with the id `base`, and show it. text: how it came about."""
    # What is edited is that of the request: meanwhile it may be another one than what was filled.
    result = session.add(filled, keep=request.base)
    more = {"result": result, "base": base, "live": list(session.results)}
    text = f"{text} Drag the divider to compare. Your mask is kept in Paint."
    return Answer("result", "good", text, tuple(patches(filled, mask)), more=more)


def check_hole(mask: np.ndarray) -> None:
    """Raises EmptyMaskError, FullMaskError where there is nothing to fill or nothing to fill from."""
    if not mask.any():
        raise EmptyMaskError("Nothing is marked yet. Brush over what should go, then press Fill.")
    if mask.all():
        raise FullMaskError(
            "Everything is marked, so nothing is left to fill from. Erase some of it, or press Undo."
        )
