"""The HTTP endpoints for other programs: files and words in, files out."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from app.display import legend
from app.service import FillService
from sair_core.errors import SairError
from sair_core.images import Photo, encode_image, load_photo
from sair_core.masks import as_mask, mask_to_image

FILL = """Fill the white part of a mask in a photo.

photo: an image file of up to 50 megapixels.
mask: an image file of the photo's size or proportions, white = fill.
seed: kept for models that draw; the same three always give the same file.
Returns a PNG of the photo's size and mode (upright, ICC profile kept); pixels outside the mask are identical.
Fails with a plain message when a file cannot be read, the mask is empty, full or of another size."""

SEMANTICS = """Name every pixel of a photo by the nearest of the labels given.

photo: an image file of up to 50 megapixels.
labels: words with commas between; "everything else" stands for what none of the others is.
mask: optional, an image file of the photo's size or proportions; what is white is not looked into, and is
completed by the model where it can.
Returns a palette PNG of the photo's size, whose values are places in the legend, and the legend: for each
label, in that order, {"label", "colour" as "#rrggbb", "share" of the photo from 0 to 1}.
Fails with a plain message when a file cannot be read, no label is given, or the mask is full or of another
size."""

MASK_FROM_WORDS = """Mark everything in a photo that words name.

photo: an image file of up to 50 megapixels.
words: what to mark, with commas between: "car, person".
Returns a black and white PNG of the photo's size, white = marked (all black when the photo shows none of it):
a mask as /fill takes it.
Fails with a plain message when the file cannot be read or no word is given."""


def add_endpoints(service: FillService) -> None:
    """Add the named endpoints to the running Blocks; they have no place on the page."""

    def fill(photo: str, mask: str, seed: float = 0) -> str:
        with _spoken_errors():
            opened = _opened(service, photo, mask=mask)
            result = service.fill(opened, as_mask(mask, opened.size_px), seed=int(seed or 0))
            return _kept(encode_image(result.image, "PNG"), "filled.png", out)

    def semantics(photo: str, labels: str, mask: str | None = None) -> tuple[str, list[dict[str, Any]]]:
        with _spoken_errors():
            opened = _opened(service, photo)
            hole = as_mask(mask, opened.size_px) if mask else None
            found = service.start_reading(opened, labels, hole).result().map
            return _kept(found.png(), "map.png", out), legend(found)

    def mask_from_words(photo: str, words: str) -> str:
        with _spoken_errors():
            mask = service.start_words(_opened(service, photo), words).result()
            return _kept(encode_image(mask_to_image(mask), "PNG"), "mask.png", out)

    with gr.Column(visible=False):
        photo = gr.File(label="Photo: an image file", type="filepath")
        mask = gr.File(label="Mask: an image file of the photo's size, white = fill", type="filepath")
        seed = gr.Number(0, label="Seed: a whole number", precision=0)
        words = gr.Textbox(label="Words with commas between")
        out = gr.File(label="PNG")
        places = gr.JSON(label="Legend: label, colour and share of each")
        trigger = gr.Button()
    endpoints = [(fill, [photo, mask, seed], out, FILL)]
    if service.names:
        endpoints += [
            (semantics, [photo, words, mask], [out, places], SEMANTICS),
            (mask_from_words, [photo, words], out, MASK_FROM_WORDS),
        ]
    for work, inputs, outputs, description in endpoints:
        trigger.click(
            work, inputs, outputs, api_name=work.__name__, api_description=description,
            concurrency_limit=4, concurrency_id="model",
        )  # fmt: skip


def _opened(service: FillService, photo: str, **files: str) -> Photo:
    missing = [name for name, path in {"photo": photo, **files}.items() if not path]
    if missing:
        raise gr.Error(f"This file is missing: {missing[0]}.", print_exception=False)
    return load_photo(photo, max_megapixels=service.max_megapixels)


@contextlib.contextmanager
def _spoken_errors() -> Iterator[None]:
    """What is raised on purpose is answered as a message."""
    try:
        yield
    except SairError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _kept(data: bytes, name: str, component: gr.File) -> str:
    """The data as a file of its own where Gradio serves from."""
    root = Path(component.GRADIO_CACHE)
    root.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=root)) / name
    path.write_bytes(data)
    return str(path)
