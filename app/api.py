"""The HTTP endpoint for other programs, `/fill`: two files in, one file out."""

from __future__ import annotations

import tempfile
from pathlib import Path

import gradio as gr

from app.service import FillService
from sair_core.errors import SairError
from sair_core.images import encode_image, load_photo
from sair_core.masks import as_mask

DESCRIPTION = """Fill the white part of a mask in a photo.

photo: an image file of up to 50 megapixels.
mask: an image file of the photo's size or proportions, white = fill.
seed: kept for models that draw; the same three always give the same file.
Returns a PNG of the photo's size and mode (upright, ICC profile kept); pixels outside the mask are identical.
Fails with a plain message when a file cannot be read, the mask is empty, full or of another size."""


def add_endpoints(service: FillService) -> None:
    """Add the named endpoints to the running Blocks; they have no place on the page."""

    def fill(photo: str, mask: str, seed: float = 0) -> str:
        if not photo or not mask:
            raise gr.Error("Give both files: photo and mask.", print_exception=False)
        try:
            opened = load_photo(photo, max_megapixels=service.max_megapixels)
            result = service.fill(opened, as_mask(mask, opened.size_px), seed=int(seed or 0))
            data = encode_image(result.image, "PNG")
        except SairError as error:
            raise gr.Error(str(error), print_exception=False) from error
        folder = Path(tempfile.mkdtemp(dir=_cache_folder(out)))
        (folder / "filled.png").write_bytes(data)
        return str(folder / "filled.png")

    with gr.Column(visible=False):
        photo = gr.File(label="Photo: an image file", type="filepath")
        mask = gr.File(label="Mask: an image file of the photo's size, white = fill", type="filepath")
        seed = gr.Number(0, label="Seed: a whole number", precision=0)
        out = gr.File(label="Filled photo (PNG)")
        trigger = gr.Button()
    trigger.click(
        fill, [photo, mask, seed], out, api_name="fill", api_description=DESCRIPTION,
        concurrency_limit=4, concurrency_id="model",
    )  # fmt: skip


def _cache_folder(component: gr.File) -> str:
    folder = Path(component.GRADIO_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)
