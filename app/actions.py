"""What happens on the server when something is pressed in the editor."""

from __future__ import annotations

import base64
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
from PIL import Image

from app.display import display_size, mask_picture, patches, preview, thumbnail
from app.editor import Answer, Request
from app.service import FillService
from app.session import NoPhotoError, Session
from sair_core.errors import EmptyMaskError, FullMaskError, MaskError, PhotoError, SairError
from sair_core.images import Photo, encode_image, load_photo
from sair_core.masks import as_mask, grow, hole_ratio, mask_to_image, shrink

FORMATS = {"PNG": "png", "JPEG": "jpg", "WebP": "webp"}
EXAMPLE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
NO_PHOTO = "Open a photo first: drop it on the page, paste it or choose a file."
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
            source = self.examples.get(request.example or "") or _file_of(request)
            photo = load_photo(source, max_megapixels=self.service.max_megapixels)
        except SairError as error:
            return _refusal(error), session
        height, width = photo.size_px
        text = f"{width} x {height} px. {HINT}"
        more = {"width": width, "height": height, "alpha": photo.mode in ("RGBA", "LA")}
        return Answer("photo", text=text, pictures=(preview(photo),), more=more), Session(photo)

    def fill(self, request: Request, session: Session | None) -> Iterator[Answer]:
        """Fill the painted part. Answers with progress until the result is there."""
        try:
            photo = _photo_of(request, session)
            mask = painted_mask(request, photo.size_px)
            _check_hole(mask)
            assert session is not None
            news: queue.Queue[tuple[float, str]] = queue.Queue()
            future = self.service.start(photo, mask, progress=lambda share, text: news.put((share, text)))
            try:
                for share, text in _until_done(future, news):
                    yield Answer("progress", more={"share": share, "text": text})
            finally:
                future.cancel()  # the visitor left before it was this fill's turn; else nothing happens
            result = future.result()
            filled = load_photo(result.image, max_megapixels=self.service.max_megapixels)
        except SairError as error:
            yield _refusal(error)
            return
        id = session.add(filled)
        text = f"Filled in {result.seconds:.1f} s. Drag the divider to compare. Your mask is kept in Paint."
        more = {"result": id, "base": request.base, "live": list(session.results)}
        yield Answer("result", "good", text, tuple(patches(filled, mask)), more=more)

    def grow(self, request: Request, session: Session | None, radius_px: float) -> Answer:
        """Grow the painted part by `radius_px` photo px."""
        return _reshaped(request, session, grow, radius_px, f"Mask grown by {radius_px:g} px.")

    def shrink(self, request: Request, session: Session | None, radius_px: float) -> Answer:
        """Shrink the painted part by `radius_px` photo px."""
        return _reshaped(request, session, shrink, radius_px, f"Mask shrunk by {radius_px:g} px.")

    def upload_mask(self, request: Request, session: Session | None) -> Answer:
        """Put an uploaded mask (white = fill) in the place of what is painted."""
        try:
            photo = _photo_of(request, session)
            mask = read_mask(_file_of(request), photo.size_px)
        except SairError as error:
            return _refusal(error)
        height, width = display_size(photo.size_px)
        if not mask.any():
            return Answer(
                "notice",
                "warn",
                "This mask has no white in it, so it marks nothing. White is what gets filled.",
            )
        shown = mask if mask.shape == (height, width) else as_mask(mask, (height, width))
        return _mask_answer(shown, f"Mask opened: {hole_ratio(mask):.1%} of the photo is marked. Press Fill.")

    def save_mask(self, request: Request, session: Session | None) -> Answer:
        """Offer the painted mask as a PNG of the photo's size, white = fill."""
        try:
            photo = _photo_of(request, session)
            mask = painted_mask(request, photo.size_px)
            if not mask.any():
                raise EmptyMaskError("There is no mask to save yet. Brush over what should go first.")
        except SairError as error:
            return _refusal(error)
        data = encode_image(mask_to_image(mask), "PNG")
        return Answer(
            "download", "good", "Mask saved: white is what gets filled.", file=data, name="sair-mask.png"
        )

    def save(self, request: Request, session: Session | None, format: str, quality: float) -> Answer:
        """Offer the shown result as a file: its own size, mode, profile and EXIF."""
        try:
            _photo_of(request, session)
            assert session is not None
            if request.shown is None:
                return Answer(
                    "notice", "warn", "There is no result to save yet. Paint something and press Fill first."
                )
            data = encode_image(session.get(request.shown).to_image(), format, int(quality))
        except SairError as error:
            return _refusal(error)
        text = f"Saved result {request.shown} as {format}, {len(data) / 1e6:.1f} MB."
        return Answer(
            "download", "good", text, file=data, name=f"sair-result-{request.shown}.{FORMATS[format]}"
        )


def painted_mask(request: Request, size_px: tuple[int, int]) -> np.ndarray:
    """What was painted, as bool `size_px` (height, width); all False when nothing was."""
    display = display_size(size_px)
    mask = np.zeros(display, bool)
    if request.mask is not None and request.box is not None:
        left, top, width, height = request.box
        with Image.open(request.mask, formats=["PNG"]) as image:
            if image.size != (width, height) or not (
                0 <= left <= display[1] - width and 0 <= top <= display[0] - height
            ):
                raise MaskError(
                    "The painted mask does not belong to this photo. Reload the page and paint again."
                )
            part = np.asarray(image.convert("RGBA"))[..., 3] >= 128
        mask[top : top + height, left : left + width] = part
    return mask if display == size_px else as_mask(mask, size_px)


def read_mask(path: Path, size_px: tuple[int, int]) -> np.ndarray:
    """An uploaded mask as bool `size_px`. Raises MaskError kinds, for huge ones before they are decoded."""
    try:
        with Image.open(path) as image:
            pixels = image.width * image.height
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise MaskError(
            "This file is no picture that can be read. Use a PNG: white is what gets filled."
        ) from error
    if pixels > 4 * size_px[0] * size_px[1] + 1_000_000:
        raise MaskError("This mask is far larger than the photo. Use one of the photo's size.")
    return as_mask(path, size_px)


def _reshaped(
    request: Request, session: Session | None, change: Callable, radius_px: float, text: str
) -> Answer:
    try:
        photo = _photo_of(request, session)
        size = display_size(photo.size_px)
        mask = painted_mask(request, size)
        if not mask.any():
            raise EmptyMaskError("There is nothing painted yet. Brush over what should go first.")
    except SairError as error:
        return _refusal(error)
    changed = change(mask, radius_px * size[1] / photo.size_px[1])
    if not changed.any():
        return Answer("notice", "warn", "Shrinking by this much would leave nothing. Choose fewer pixels.")
    return _mask_answer(changed, text)


def _check_hole(mask: np.ndarray) -> None:
    if not mask.any():
        raise EmptyMaskError("Nothing is marked yet. Brush over what should go, then press Fill.")
    if mask.all():
        raise FullMaskError(
            "Everything is marked, so nothing is left to fill from. Erase some of it, or press Undo."
        )


def _photo_of(request: Request, session: Session | None) -> Photo:
    _check_upload(request)
    if not request.open:
        raise NoPhotoError(NO_PHOTO)
    if session is None:
        raise NoPhotoError("The server no longer has this photo. Open it again.")
    return session.get(request.base)


def _check_upload(request: Request) -> None:
    if request.problem:
        raise PhotoError(
            f"The file could not be uploaded ({request.problem}). Choose a smaller one, or try again."
        )


def _file_of(request: Request) -> Path:
    _check_upload(request)
    if request.file is None:
        raise PhotoError("No file arrived. Choose it again.")
    return request.file


def _until_done(future: Future, news: queue.Queue[tuple[float, str]]) -> Iterator[tuple[float, str]]:
    """Progress as it comes; only the newest where several wait."""
    while True:
        try:
            item = news.get(timeout=0.05)
            while not news.empty():
                item = news.get_nowait()
            yield item
        except queue.Empty:
            if future.done():
                return


def _refusal(error: SairError) -> Answer:
    level = "warn" if isinstance(error, (NoPhotoError, EmptyMaskError, FullMaskError)) else "error"
    return Answer("notice", level, str(error))


def _mask_answer(mask: np.ndarray, text: str) -> Answer:
    picture = mask_picture(mask)
    pictures = () if picture is None else (picture,)
    return Answer("mask", "info", text, pictures)
