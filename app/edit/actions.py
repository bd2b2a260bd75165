"""What happens on the server when a photo is opened, filled or saved in the Edit tab."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from sair_core.errors import CancelledError, SairError
from sair_core.filling.engines import NATURAL, PAINTED, SMOOTH
from sair_core.photos.formats import PHOTO_SUFFIXES
from sair_core.photos.photo import load_photo
from sair_core.photos.write import encode_image

from ..host.exports import PHOTO_FORMATS
from ..serving.contracts import FillOptions, read_whole
from ..serving.service import FillService
from ..session import NoPhotoError, Session, Variations
from ..widgets.answers import follow, refuse
from ..widgets.pictures import encode_clusters, encode_preview, encode_rgb, encode_thumbnail
from ..widgets.protocol import Answer, Request
from ..widgets.requests import read_hole, read_source, require_file, require_session
from .results import keep_result, offer_variations

if TYPE_CHECKING:
    from sair_core.filling.result import FillResult

EXAMPLE_SIZE_PX = (156, 208)
HINT = "Brush over what should go, then press Fill."
PRIORS_HINT = "In a column, equal colours are the same kind of place to the model."


class EditActions:
    """Every method takes a Request and the visitor's Session and gives Answers; errors are answers too."""

    def __init__(self, service: FillService, examples: Path):
        """examples: folder with photos to try; it may be missing."""
        self.service = service
        # Only these files can be named by the browser.
        self.examples = {f.stem: f for f in sorted(examples.glob("*")) if f.suffix.lower() in PHOTO_SUFFIXES}

    def example_cards(self) -> list[dict[str, str]]:
        """Return name, label and thumbnail (data URI) of each example."""
        cards = []
        for name, path in self.examples.items():
            jpeg = base64.b64encode(encode_thumbnail(load_photo(path), EXAMPLE_SIZE_PX)).decode()
            label = name.replace("_", " ").replace("-", " ").capitalize()
            cards.append({"name": name, "label": label, "thumbnail": f"data:image/jpeg;base64,{jpeg}"})
        return cards

    def open(self, request: Request, session: Session | None) -> tuple[Answer, Session | None]:
        """Open an uploaded photo or an example; what was open stays open when this one cannot be read."""
        try:
            source = self.examples.get(request.example or "") or require_file(request)
            photo = load_photo(source, max_megapixels=self.service.max_megapixels)
        except SairError as error:
            return refuse(error), session
        if session is not None:
            session.stop()
        height, width = photo.size_px
        first = " This file holds several pictures: the first one is open." if photo.first_of_several else ""
        text = f"{width} x {height} px.{first} {HINT}"
        more = {"width": width, "height": height, "alpha": photo.alpha is not None}
        self.service.read_ahead(photo)
        answer = Answer("photo", text=text, pictures=(encode_preview(photo),), more=more)
        return answer, Session(photo, before=session)

    def fill(
        self,
        request: Request,
        session: Session | None,
        words: str = "",
        strength: float = 1.0,
        engine: str = NATURAL,
        count: float = 1,
        seed: float | None = 0,
    ) -> Iterator[Answer]:
        """Fill the painted part with one of `Models.engines`.

        words: what to fill with, heeded by NATURAL and SMOOTH; strength: how much they count, in [0, 1].
        NATURAL and PAINTED fill `count` times, with the seeds seed, seed + 1, ..., and NATURAL takes texture
        from what is marked as its source. A single fill becomes a result at once, several are offered to
        choose from.
        """
        try:
            session = require_session(request, session)
            photo = session.get(request.base)
            mask = read_hole(request, photo.size_px)
            source = read_source(request, photo.size_px) if engine == NATURAL else None
            options = FillOptions(engine, read_whole(seed, "seed"), words, strength, source)
            wanted = int(count) if engine in (NATURAL, PAINTED) else 1
            kept = min(wanted, session.capacity)
            sign = session.begin("fill")
            fills = yield from follow(
                lambda progress: self.service.start_variations(
                    photo, mask, kept, options, progress=progress, cancelled=sign.is_set
                ),
                sign,
            )
        except CancelledError:
            yield Answer("notice", "info", "Stopped. Nothing was changed.")
            return
        except SairError as error:
            yield refuse(error)
            return
        text = _describe(options, fills, wanted)
        if len(fills) > 1:
            photos = {fill.seed: fill.photo for fill in fills}
            yield offer_variations(session, Variations(request.base, mask, photos), text)
        else:
            yield keep_result(request, session, request.base, fills[0].photo, mask, text)

    def take(self, request: Request, session: Session | None) -> Answer:
        """Make one of the newest variations, by its seed, a result."""
        try:
            session = require_session(request, session)
            variations = session.variations
            if variations is None or request.seed not in variations.photos:
                raise NoPhotoError("This variation is no longer kept. Press Fill to make it again.")
        except SairError as error:
            return refuse(error)
        filled, text = variations.photos[request.seed], f"You took seed {request.seed}."
        return keep_result(request, session, variations.of, filled, variations.mask, text)

    def show_priors(
        self, request: Request, session: Session | None, seed: float | None = 0
    ) -> Iterator[Answer]:
        """Show what the painted engine expects in the painted part, for `seed` and where it draws the next.

        The pictures come row by row, a row a seed: its priors, coarsest first, then its fill.
        """
        try:
            photo = require_session(request, session).get(request.base)
            mask = read_hole(request, photo.size_px)
            first = read_whole(seed, "seed")
            views = yield from follow(
                lambda progress: self.service.start_priors(photo, mask, seed=first, progress=progress)
            )
        except SairError as error:
            yield refuse(error)
            return
        rows = [(*map(encode_clusters, view.levels), encode_rgb(view.rgb)) for view in views]
        columns = [*(f"Prior at 1/{stride}" for stride in views[0].strides_px), "Fill"]
        more = {"seeds": [view.seed for view in views], "columns": columns}
        yield Answer("priors", "good", PRIORS_HINT, tuple(chain.from_iterable(rows)), more=more)

    def save(self, request: Request, session: Session | None, format: str, quality: float) -> Answer:
        """Offer the shown result as a file: its own size, mode, profile and EXIF."""
        try:
            session = require_session(request, session)
            if request.shown is None:
                text = "There is no result to save yet. Paint something and press Fill first."
                return Answer("notice", "warn", text)
            data = encode_image(session.get(request.shown), format, int(quality))
        except SairError as error:
            return refuse(error)
        name = f"sair-result-{request.shown}.{PHOTO_FORMATS[format]}"
        text = f"Saved result {request.shown} as {format}, {len(data) / 1e6:.1f} MB."
        return Answer("download", "good", text, file=data, name=name)


def _describe(options: FillOptions, fills: Sequence[FillResult], count: int) -> str:
    """Say how fills came about. count: how many were asked for."""
    seconds = f"{sum(fill.seconds for fill in fills):.1f} s."
    words, listens = options.words.strip(), options.engine in (NATURAL, SMOOTH)
    deaf = f" The words were left out: {options.engine} does not listen to them."
    notes = deaf if words and not listens else ""
    notes += "".join(f" {note}" for note in dict.fromkeys(fill.note for fill in fills) if note)
    if len(fills) == 1:
        how = f" with {words}" if words and listens else ""
        how = f" with seed {fills[0].seed}" if options.engine == PAINTED else how
        return f"Filled{how} in {seconds}{notes}"
    if len(fills) < count:
        notes += f" The photo is too large to keep more than {len(fills)}."
    return f"{len(fills)} variations in {seconds} Point at one to see it, click to take it.{notes}"
