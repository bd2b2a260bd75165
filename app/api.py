"""The HTTP endpoints for other programs: files and words in, files out."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np
from gradio.data_classes import FileData

from sair_core.errors import ConfigError, SairError
from sair_core.files import replacing
from sair_core.photos.masks import as_mask, mask_to_image
from sair_core.photos.photo import Photo, encode_image, load_photo
from sair_core.window import Window

from .host.limits import max_variations
from .serving.service import FillService
from .widgets.files import new_file
from .widgets.pictures import legend
from .zoom.actions import FORMATS, MAX_VIEW_PX, check_size, whole_window

FILL = """Fill the white part of a mask in a photo.

photo: an image file of up to LIMIT megapixels.
mask: an image file of the photo's size or proportions, white = fill.
words: optional, what to fill with: "grass". strength: how much they count, from 0 to 1.
seed: of a model that draws; the same inputs always give the same file.
Returns a PNG of the photo's size and mode (upright, ICC profile kept); pixels outside the mask are identical.
Fails with a plain message when a file cannot be read, the mask is empty, full or of another size."""

VARIATIONS = """Fill the white part of a mask in a photo several times, each time differently.

photo, mask: as for /fill.
count: how many fills, from 1 to MOST. seed: of the first; the others have the numbers after it.
Returns a PNG for each, as /fill does, and their seeds in that order; a seed always gives the same fill.
Fails with a plain message where /fill does, and when the count or the seed is out of range."""

SEMANTICS = """Name every pixel of a photo by the nearest of the labels given.

photo: an image file of up to LIMIT megapixels.
labels: words with commas between; "everything else" stands for what none of the others is.
mask: optional, an image file of the photo's size or proportions; what is white is not looked into, and is
completed by the model where it can.
Returns a palette PNG of the photo's size, whose values are places in the legend, and the legend: for each
label, in that order, {"label", "colour" as "#rrggbb", "share" of the photo from 0 to 1}.
Fails with a plain message when a file cannot be read, no label is given, or the mask is full or of another
size."""

MASK_FROM_WORDS = """Mark everything in a photo that words name.

photo: an image file of up to LIMIT megapixels.
words: what to mark, with commas between: "car, person".
Returns a black and white PNG of the photo's size, white = marked (all black when the photo shows none of it):
a mask as /fill takes it.
Fails with a plain message when the file cannot be read or no word is given."""

VIEW = f"""Show a part of a photo at any scale, with detail made by the model.

photo: an image file of up to LIMIT megapixels.
mask: optional, an image file of the photo's size or proportions; what is white is filled first.
centre_y, centre_x: the middle of the view, from -1 (top, left edge) to 1 (bottom, right edge) of the photo.
scale: pixels of the view per pixel of the photo, from 1/64 to 64; at 1 they are the photo's own.
width, height: of the view, from 1 to {MAX_VIEW_PX} px.
Returns a PNG of width x height px, black outside the photo.
Fails with a plain message when a file cannot be read or a number is out of range."""

EXPORT = """Write a whole photo enlarged, with detail made by the model.

photo: an image file of up to LIMIT megapixels.
scale: how many times as wide and as high, from 1 to 64.
format: PNG, JPEG, WebP or TIFF; TIFF holds the largest pictures.
mask: optional, an image file of the photo's size or proportions; what is white is filled first.
Returns the file. Transparency and the ICC profile are kept.
Fails with a plain message when a file cannot be read, the scale is out of range or the result too large."""


class SentFile(gr.File):
    """gr.File, less the empty file that it leaves behind for each one that it is sent."""

    is_template = True  # on the page it is its parent

    def _process_single_file(self, f: FileData) -> str:
        return f.path


class Endpoints:
    """What other programs can ask: each method is an endpoint of its name. Files come as paths."""

    def __init__(self, service: FillService):
        self.service = service

    def fill(self, photo: str, mask: str, seed: float = 0, words: str = "", strength: float = 1.0) -> str:
        with _spoken_errors():
            opened = self._opened(photo, mask=mask)
            hole = as_mask(mask, opened.size_px)
            result = self.service.fill(opened, hole, seed=int(seed or 0), words=words, strength=strength)
            return _kept(encode_image(result.image, "PNG"), "filled.png")

    def variations(
        self, photo: str, mask: str, count: float = 4, seed: float = 0
    ) -> tuple[list[str], list[int]]:
        with _spoken_errors():
            opened = self._opened(photo, mask=mask)
            hole = as_mask(mask, opened.size_px)
            fills = self.service.start_variations(opened, hole, int(count), seed=int(seed or 0)).result()
            files = [_kept(encode_image(one.image, "PNG"), f"seed-{one.seed}.png") for one in fills]
            return files, [one.seed for one in fills]

    def semantics(self, photo: str, labels: str, mask: str | None = None) -> tuple[str, list[dict[str, Any]]]:
        with _spoken_errors():
            opened = self._opened(photo)
            found = self.service.start_reading(opened, labels, _hole(opened, mask)).result().map
            return _kept(found.png(), "map.png"), legend(found)

    def mask_from_words(self, photo: str, words: str) -> str:
        with _spoken_errors():
            mask = self.service.start_words(self._opened(photo), words).result()
            return _kept(encode_image(mask_to_image(mask), "PNG"), "mask.png")

    def view(
        self,
        photo: str,
        mask: str | None = None,
        centre_y: float = 0,
        centre_x: float = 0,
        scale: float = 1,
        width: float = 1024,
        height: float = 768,
    ) -> str:
        with _spoken_errors():
            opened = self._opened(photo)
            size = int(height), int(width)
            if max(size) > MAX_VIEW_PX:
                raise ConfigError(f"A view has at most {MAX_VIEW_PX} px a side, not {size[1]} x {size[0]}.")
            window = Window.around(opened.size_px, (centre_y, centre_x), scale, size)
            image = self.service.start_view(opened, window, mask=_hole(opened, mask)).result()
            return _kept(encode_image(image, "PNG"), "view.png")

    def export(self, photo: str, scale: float = 2, format: str = "PNG", mask: str | None = None) -> str:
        with _spoken_errors():
            if format not in FORMATS:
                raise ConfigError(f"{format!r} is no format. Choose {', '.join(FORMATS)}.")
            opened = self._opened(photo)
            window = whole_window(opened.size_px, scale)
            check_size(window.size_px, format)
            hole = _hole(opened, mask)
            path = new_file(f"photo.{FORMATS[format]}")
            try:
                self.service.start_export(opened, path, window, mask=hole).result()
            except BaseException:
                shutil.rmtree(path.parent, ignore_errors=True)
                raise
            return str(path)

    def _opened(self, photo: str, **files: str) -> Photo:
        missing = [name for name, path in {"photo": photo, **files}.items() if not path]
        if missing:
            raise gr.Error(f"This file is missing: {missing[0]}.", print_exception=False)
        return load_photo(photo, max_megapixels=self.service.max_megapixels)


def add_endpoints(service: FillService) -> None:
    """Add the named endpoints to the running Blocks; they have no place on the page."""
    answer = Endpoints(service)
    with gr.Column(visible=False):
        photo = SentFile(label="Photo: an image file", type="filepath")
        mask = SentFile(label="Mask: an image file of the photo's size, white = fill", type="filepath")
        seed = gr.Number(0, label="Seed: a whole number", precision=0)
        words = gr.Textbox(label="Words with commas between")
        guide = gr.Textbox("", label="What to fill with")  # its value makes it optional
        strength = gr.Slider(0, 1, 1, label="How much the words count")
        centre_y = gr.Number(0, label="Middle of the view, down: from -1 to 1")
        centre_x = gr.Number(0, label="Middle of the view, across: from -1 to 1")
        scale = gr.Number(1, label="Pixels of the view per pixel of the photo")
        width = gr.Number(1024, label="Width of the view in px", precision=0)
        height = gr.Number(768, label="Height of the view in px", precision=0)
        times = gr.Number(2, label="How many times as wide and as high")
        format = gr.Radio(list(FORMATS), value="PNG", label="Format")
        out = gr.File(label="PNG")
        enlarged = gr.File(label="The enlarged photo")
        places = gr.JSON(label="Legend: label, colour and share of each")
        trigger = gr.Button()
    endpoints = [
        (answer.fill, [photo, mask, seed, guide, strength], out, FILL),
        (answer.semantics, [photo, words, mask], [out, places], SEMANTICS),
        (answer.mask_from_words, [photo, words], out, MASK_FROM_WORDS),
        (answer.view, [photo, mask, centre_y, centre_x, scale, width, height], out, VIEW),
        (answer.export, [photo, times, format, mask], enlarged, EXPORT),
    ]
    if service.paints:
        with gr.Column(visible=False):
            count = gr.Number(4, label="How many fills", precision=0)
            files = gr.File(label="PNGs", file_count="multiple")
            seeds = gr.JSON(label="Their seeds")
        about = VARIATIONS.replace("MOST", str(max_variations()))
        endpoints.append((answer.variations, [photo, mask, count, seed], [files, seeds], about))
    for work, inputs, outputs, description in endpoints:
        trigger.click(
            work, inputs, outputs, api_name=work.__name__,
            api_description=description.replace("LIMIT", f"{service.max_megapixels:g}"),
            concurrency_limit=4, concurrency_id="model",
        )  # fmt: skip


def _hole(photo: Photo, mask: str | None) -> np.ndarray | None:
    return as_mask(mask, photo.size_px) if mask else None


@contextlib.contextmanager
def _spoken_errors() -> Iterator[None]:
    """What is raised on purpose is answered as a message."""
    try:
        yield
    except SairError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _kept(data: bytes, name: str) -> str:
    """The data as a file of its own where Gradio serves from."""
    path = new_file(name)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return str(path)
