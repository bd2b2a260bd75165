"""The HTTP endpoints for other programs: files and words in, files out."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import numpy as np
from gradio.components import Component
from gradio.data_classes import FileData

from sair_core.errors import ConfigError, MaskError, PhotoError, SairError
from sair_core.files import replacing
from sair_core.filling.engines import NATURAL, PAINTED, match_engine
from sair_core.photos.masks import mask_to_image
from sair_core.photos.photo import Photo, load_photo
from sair_core.photos.write import encode_image
from sair_core.semantics.points import GROW_PX
from sair_core.window import Window

from .host.exports import EXPORT_FORMATS, MAX_VIEW_PX, check_export, check_view, whole_window
from .host.limits import limits
from .serving.contracts import FillOptions, read_whole
from .serving.service import FillService
from .widgets.files import new_file
from .widgets.pictures import describe_labels

FILL = """Fill the white part of a mask in a photo.

photo: an image file of up to LIMIT megapixels; over MCP a data: URI, as data:image/png;base64,...
mask: an image file of the photo's size or proportions, white = fill.
words: optional, "grass": texture is taken from where the photo shows that. strength: how much they
count, from 0 to 1.
seed: another one takes texture from other places; the same inputs always give the same file.
Returns a PNG of the photo's size and mode (upright, ICC profile kept); pixels outside the mask are identical.
Fails with a plain message when a file cannot be read, the mask is empty, full or of another size."""

VARIATIONS = """Paint the white part of a mask in a photo several times, each time differently.

photo, mask: as for /fill.
count: how many fills, from 1 to MOST. seed: of the first; the others have the numbers after it.
Returns a PNG for each, as /fill does, and their seeds in that order; a seed always gives the same fill.
Fails with a plain message where /fill does, and when the count or the seed is out of range."""

FILL_ENGINE = """Fill the white part of a mask in a photo with a chosen engine, once or several times.

photo, mask, words, strength: as for /fill.
engine: one of ENGINES: Natural is texture from the photo, Smooth the likeliest colours; Painted is detail
that a model invents, and any other name a model of others; these two heed neither words nor source.
count: how many fills, from 1 to MOST; Smooth has one. seed: of the first; the others have the numbers after.
source: optional, an image file of the photo's size or proportions; white = the only part that texture is
taken from.
Returns a PNG for each, as /fill does, and their seeds in that order; a seed always gives the same fill.
Fails with a plain message where /fill does, and when the engine, the count or the seed is none."""

SEMANTICS = """Name every pixel of a photo by the nearest of the labels given.

photo: an image file of up to LIMIT megapixels; over MCP a data: URI, as data:image/png;base64,...
labels: words with commas between; "everything else" stands for what none of the others is.
mask: optional, an image file of the photo's size or proportions; what is white is not looked into, and is
completed by the model where it can.
Returns a palette PNG of the photo's size, whose values are places in the legend, and the legend: for each
label, in that order, {"label", "colour" as "#rrggbb", "share" of the photo from 0 to 1}.
Fails with a plain message when a file cannot be read, no label is given, or the mask is full or of another
size."""

MASK_FROM_WORDS = """Mark everything in a photo that words name.

photo: an image file of up to LIMIT megapixels; over MCP a data: URI, as data:image/png;base64,...
words: what to mark, with commas between: "car, person".
Returns a black and white PNG of the photo's size, white = marked (all black when the photo shows none of it):
a mask as /fill takes it.
Fails with a plain message when the file cannot be read or no word is given."""

MASK_FROM_POINTS = """Mark the object in a photo that points lie on.

photo: an image file of up to LIMIT megapixels; over MCP a data: URI, as data:image/png;base64,...
points: [[x, y], ...] in pixels of the upright photo, from its top left corner.
labels: optional, [true, false, ...], one a point: whether it lies inside the object; all do by default.
grow_px: the mask reaches so much further than the object, so that its rim is filled, too; 0 for its edges.
Returns a black and white PNG of the photo's size, white = marked: a mask as /fill takes it.
Fails with a plain message when the file cannot be read, a point lies outside the photo or none is inside
the object."""

VIEW = f"""Show a part of a photo at any scale, with detail made by the model.

photo: an image file of up to LIMIT megapixels; over MCP a data: URI, as data:image/png;base64,...
mask: optional, an image file of the photo's size or proportions; what is white is filled first.
centre_y, centre_x: the middle of the view, from -1 (top, left edge) to 1 (bottom, right edge) of the photo.
scale: pixels of the view per pixel of the photo, from 1/64 to 64; at 1 they are the photo's own.
width, height: of the view, from 1 to {MAX_VIEW_PX} px.
Returns a PNG of width x height px, black outside the photo.
Fails with a plain message when a file cannot be read or a number is out of range."""

EXPORT = """Write a whole photo enlarged, with detail made by the model.

photo: an image file of up to LIMIT megapixels; over MCP a data: URI, as data:image/png;base64,...
scale: how many times as wide and as high, from 1 to 64.
format: PNG, JPEG, WebP or TIFF; TIFF holds the largest pictures.
mask: optional, an image file of the photo's size or proportions; what is white is filled first.
Returns the file. Transparency and the ICC profile are kept.
Fails with a plain message when a file cannot be read, the scale is out of range or the result too large."""


class Endpoints:
    """The endpoints: each method is one of its name. Files come and go as paths."""

    def __init__(self, service: FillService):
        self.service = service

    def fill(self, photo: str, mask: str, seed: float = 0, words: str = "", strength: float = 1.0) -> str:
        with _errors_as_messages():
            options = FillOptions(seed=read_whole(seed or 0, "seed"), words=words, strength=strength)
            fill = self.service.start_fill(*self._load_both(photo, mask), options).result()
            return _write(encode_image(fill.photo, "PNG"), "filled.png")

    def variations(
        self, photo: str, mask: str, count: float = 4, seed: float = 0
    ) -> tuple[list[str], list[int]]:
        return self.fill_engine(photo, mask, PAINTED, count, seed)

    def fill_engine(
        self,
        photo: str,
        mask: str,
        engine: str = NATURAL,
        count: float = 1,
        seed: float = 0,
        words: str = "",
        strength: float = 1.0,
        source: str | None = None,
    ) -> tuple[list[str], list[int]]:
        with _errors_as_messages():
            engine, engines = match_engine(engine) or engine, self.service.models.engines
            if engine not in engines:
                raise ConfigError(f"{engine!r} is no engine here. Choose {', '.join(engines)}.")
            loaded, hole = self._load_both(photo, mask)
            options = FillOptions(
                engine, read_whole(seed or 0, "seed"), words, strength, _read_hole(loaded, source)
            )
            fills = self.service.start_variations(loaded, hole, read_whole(count, "count"), options).result()
            files = [_write(encode_image(fill.photo, "PNG"), f"seed-{fill.seed}.png") for fill in fills]
            return files, [fill.seed for fill in fills]

    def semantics(self, photo: str, labels: str, mask: str | None = None) -> tuple[str, list[dict[str, Any]]]:
        with _errors_as_messages():
            loaded = self._load(photo)
            reading = self.service.start_reading(loaded, labels, _read_hole(loaded, mask)).result()
            return _write(reading.map.png(), "map.png"), describe_labels(reading.map)

    def mask_from_words(self, photo: str, words: str) -> str:
        with _errors_as_messages():
            mask = self.service.start_words(self._load(photo), words).result()
            return _write(encode_image(mask_to_image(mask), "PNG"), "mask.png")

    def mask_from_points(self, photo: str, points: Any, labels: Any = None, grow_px: float = GROW_PX) -> str:
        with _errors_as_messages():
            mask = self.service.start_points(self._load(photo), points, labels, grow_px=grow_px).result()
            return _write(encode_image(mask_to_image(mask), "PNG"), "mask.png")

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
        with _errors_as_messages():
            loaded = self._load(photo)
            size_px = read_whole(height, "height"), read_whole(width, "width")
            check_view(size_px)
            window = Window.around(loaded.size_px, (centre_y, centre_x), scale, size_px)
            view = self.service.start_view(loaded, window, mask=_read_hole(loaded, mask)).result()
            return _write(encode_image(view, "PNG"), "view.png")

    def export(self, photo: str, scale: float = 2, format: str = "PNG", mask: str | None = None) -> str:
        with _errors_as_messages():
            if format not in EXPORT_FORMATS:
                raise ConfigError(f"{format!r} is no format. Choose {', '.join(EXPORT_FORMATS)}.")
            loaded = self._load(photo)
            window = whole_window(loaded.size_px, scale)
            check_export(window.size_px, format)
            hole = _read_hole(loaded, mask)
            path = new_file(f"photo.{EXPORT_FORMATS[format]}")
            try:
                self.service.start_export(loaded, path, window, mask=hole).result()
            except BaseException:
                shutil.rmtree(path.parent, ignore_errors=True)
                raise
            return str(path)

    def _load(self, photo: str) -> Photo:
        if not photo:
            raise PhotoError("This file is missing: photo. Send one.")
        return load_photo(photo, max_megapixels=self.service.max_megapixels)

    def _load_both(self, photo: str, mask: str) -> tuple[Photo, np.ndarray]:
        loaded = self._load(photo)
        if not mask:
            raise MaskError("This file is missing: mask. Send one.")
        return loaded, loaded.read_mask(mask)


def add_endpoints(service: FillService) -> None:
    """Add the named endpoints to the running Blocks; they have no place on the page."""
    answer = Endpoints(service)
    with gr.Column(visible=False):
        photo = _file_input("Photo: an image file")
        mask = _file_input("Mask: an image file of the photo's size, white = fill")
        seed = gr.Number(0, label="Seed: a whole number", precision=0)
        words = gr.Textbox(label="Words with commas between")
        points = gr.JSON(label="Points: [[x, y], ...] in px of the photo")
        labels = gr.JSON(label="Whether each point is inside the object: [true, false, ...]")
        grow_px = gr.Number(GROW_PX, label="How much further than the object the mask reaches, in px")
        guide = gr.Textbox("", label="What to fill with")  # its value makes it optional
        strength = gr.Slider(0, 1, 1, label="How much the words count")
        centre_y = gr.Number(0, label="Middle of the view, down: from -1 to 1")
        centre_x = gr.Number(0, label="Middle of the view, across: from -1 to 1")
        scale = gr.Number(1, label="Pixels of the view per pixel of the photo")
        width = gr.Number(1024, label="Width of the view in px", precision=0)
        height = gr.Number(768, label="Height of the view in px", precision=0)
        times = gr.Number(2, label="How many times as wide and as high")
        format = gr.Radio(list(EXPORT_FORMATS), value="PNG", label="Format")
        engine = gr.Radio(list(service.models.engines), value=NATURAL, label="Engine")
        count = gr.Number(1, label="How many fills", precision=0)
        source = _file_input("Source: an image file of the photo's size, white = take texture from here")
        out = gr.File(label="PNG")
        files = gr.File(label="PNGs", file_count="multiple")
        seeds = gr.JSON(label="Their seeds")
        enlarged = gr.File(label="The enlarged photo")
        places = gr.JSON(label="Legend: label, colour and share of each")
        trigger = gr.Button()
    endpoints: list[tuple[Callable[..., Any], list[Component], Component | list[Component], str]] = [
        (answer.fill, [photo, mask, seed, guide, strength], out, FILL),
        (
            answer.fill_engine,
            [photo, mask, engine, count, seed, guide, strength, source],
            [files, seeds],
            FILL_ENGINE,
        ),
        (answer.semantics, [photo, words, mask], [out, places], SEMANTICS),
        (answer.mask_from_words, [photo, words], out, MASK_FROM_WORDS),
        (answer.mask_from_points, [photo, points, labels, grow_px], out, MASK_FROM_POINTS),
        (answer.view, [photo, mask, centre_y, centre_x, scale, width, height], out, VIEW),
        (answer.export, [photo, times, format, mask], enlarged, EXPORT),
    ]
    if service.models.has_painter:
        with gr.Column(visible=False):
            several = gr.Number(4, label="How many fills", precision=0)
        endpoints.append((answer.variations, [photo, mask, several, seed], [files, seeds], VARIATIONS))
    optional = {}
    for work, inputs, outputs, description in endpoints:
        parameters = list(inspect.signature(work, eval_str=True).parameters.values())
        for parameter, component in zip(parameters, inputs, strict=True):
            if isinstance(component, gr.File):
                continue
            component.preprocess = _pass  # type: ignore[assignment, method-assign]
            if parameter.default is not parameter.empty:
                optional[component._id] = component
        trigger.click(
            _read_arguments(work, parameters), inputs, outputs, api_name=work.__name__,
            api_description=description.replace("LIMIT", f"{service.max_megapixels:g}")
            .replace("MOST", str(limits().variations))
            .replace("ENGINES", ", ".join(service.models.engines)),
            concurrency_limit=4, concurrency_id="model",
        )  # fmt: skip
    for component in optional.values():
        _allow_null(component)


def _pass(value: Any) -> Any:
    """Give the endpoint what was sent: Gradio's own checks know neither null nor plain words."""
    return value


def _allow_null(component: Component) -> None:
    """Say in the schema that null is taken: MCP clients send it for what they leave out."""
    schema = component.api_info()
    component.api_info = lambda: {"anyOf": [schema, {"type": "null"}]}  # type: ignore[method-assign]


def _read_arguments(work: Callable[..., Any], parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    """Let an endpoint see what it is typed for, or refuse with a message that names the parameter."""

    @functools.wraps(work)
    def answer(*values: Any) -> Any:
        with _errors_as_messages():
            read = [_read_argument(one, value) for one, value in zip(parameters, values, strict=True)]
        return work(*read)

    return answer


def _read_argument(parameter: inspect.Parameter, value: Any) -> Any:
    """What was sent as a parameter: null is its default, several words are one list of them.

    Raises ConfigError.
    """
    name = parameter.name
    if value is None:
        if parameter.default is not parameter.empty:
            return parameter.default
        return "" if parameter.annotation is str else None  # the endpoint says what is missing
    if parameter.annotation is float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ConfigError(f"{name} must be a number, not {_shorten(value)}.")
        return value
    if parameter.annotation in (str, str | None):
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return ", ".join(value)
        if not isinstance(value, str):
            raise ConfigError(f"{name} must be text, not {_shorten(value)}.")
    return value


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _file_input(label: str) -> gr.File:
    """Return a file input that gives its path, and leaves no empty file behind for each one that it is sent.

    A subclass could do that, but Gradio would write a .pyi beside this module.
    """

    def get_path(f: FileData) -> Any:
        return f.path

    file = gr.File(label=label, type="filepath")
    file._process_single_file = get_path  # type: ignore[method-assign]  # no other way to replace it
    return file


def _read_hole(photo: Photo, mask: str | None) -> np.ndarray | None:
    return photo.read_mask(mask) if mask else None


@contextlib.contextmanager
def _errors_as_messages() -> Iterator[None]:
    """Answer with the message of what is raised on purpose."""
    try:
        yield
    except SairError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _write(data: bytes, name: str) -> str:
    """Write a file of its own where Gradio serves from, and return its path."""
    path = new_file(name)
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return str(path)
