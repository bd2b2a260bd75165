"""What happens on the server when something is pressed in the Semantics tab."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from sair_core.errors import SairError
from sair_core.photos.masks import hole_ratio
from sair_core.semantics.map import SemanticMap
from sair_core.semantics.words import EVERYTHING_ELSE

from ..host.guards import read_labels
from ..serving.models import BUNDLED
from ..serving.service import FillService
from ..session import MapRecord, Session
from ..widgets.answers import follow, format_share, refuse, send_mask
from ..widgets.pictures import describe_labels, encode_map, fit_display
from ..widgets.protocol import Answer, Level, Request
from ..widgets.requests import read_mask, require_session

AS_IS, HIDDEN, COMPLETED = "As it is", "Hidden", "Completed"
UNDER_MASK = (AS_IS, HIDDEN, COMPLETED)
MAP_FILE, EMBEDDING_FILE = "sair-map.png", "sair-embedding.npy"
HINT = "Click a region or a label: it becomes the mask. Hold Shift to add to the mask."
NO_SIR = "This model completes nothing: under the mask, the map is the encoder's own guess from around it."


class SemanticActions:
    """Every method takes a Request and the visitor's Session and gives Answers; errors are answers too."""

    def __init__(self, service: FillService):
        self.service = service

    def show(
        self,
        request: Request,
        session: Session | None,
        labels: str,
        rest: bool,
        under_mask: str,
        encoder: str = BUNDLED,
    ) -> Iterator[Answer]:
        """Make the map of the photo on the stage. rest: with "everything else"; under_mask: of UNDER_MASK."""
        try:
            session = require_session(request, session)
            photo = session.get(request.on_stage)
            names = [*read_labels(labels), *([EVERYTHING_ELSE] if rest else [])]
            mask = None if under_mask == AS_IS else read_mask(request, photo.size_px)
            hole = None if mask is None or not mask.any() else mask
            complete = under_mask == COMPLETED
            reading = yield from follow(
                lambda progress: self.service.start_reading(
                    photo, names, hole, complete=complete, encoder=encoder, progress=progress
                )
            )
        except SairError as error:
            yield refuse(error)
            return
        session.map = MapRecord(request.on_stage, reading.map, hole, complete, encoder)
        more = {"legend": describe_labels(reading.map), "hole": hole is not None}
        lacks_sir = complete and hole is not None and not reading.completed
        level: Level = "warn" if lacks_sir else "good"
        yield Answer("map", level, NO_SIR if lacks_sir else HINT, (encode_map(reading.map),), more=more)

    def choose(self, request: Request, session: Session | None) -> Answer:
        """Make a label the mask, or of the label at one place the region around it."""
        try:
            record = require_session(request, session).get_map()
            mask, label = _select(record.map, request)
            if not mask.any():
                return Answer("notice", "warn", f"This map shows no {label}. Choose another label.")
        except SairError as error:
            return refuse(error)
        done = "added to the mask" if request.add else "marked"
        text = f"{label}: {format_share(hole_ratio(mask))} of the photo is {done}. Press Fill."
        more = {"of": record.of, "add": request.add}
        return send_mask(mask, text, fit_display(record.map.ids.shape), more)

    def save_map(self, request: Request, session: Session | None) -> Answer:
        """Offer the newest map as a palette PNG."""
        try:
            data = require_session(request, session).get_map().map.png()
        except SairError as error:
            return refuse(error)
        text = f"Saved {MAP_FILE}, {len(data) / 1e6:.1f} MB."
        return Answer("download", "good", text, file=data, name=MAP_FILE)

    def save_embedding(self, request: Request, session: Session | None) -> Answer:
        """Offer the embedding that the newest map was named by as an array."""
        try:
            found = require_session(request, session).get_map().map
        except SairError as error:
            return refuse(error)
        data, shape = found.npy(), " x ".join(map(str, found.embedding.shape))
        text = f"Saved {EMBEDDING_FILE}, {len(data) / 1e6:.1f} MB. A float16 array of {shape}."
        return Answer("download", "good", text, file=data, name=EMBEDDING_FILE)

    def load_encoder(
        self, request: Request, session: Session | None, name: str, chosen: str
    ) -> Iterator[tuple[Answer, str]]:
        """Load an encoder by name. Yields Answers, each with the encoder to be chosen from then on."""
        name = " ".join(name.split())
        if name.lower() in ("", BUNDLED.lower()):
            yield Answer("notice", "good", "The bundled encoder is chosen."), BUNDLED
            return
        try:
            for answer in follow(lambda progress: self.service.start_encoder(name, progress=progress)):
                yield answer, chosen
        except SairError as error:
            before = "The bundled encoder" if chosen == BUNDLED else chosen
            yield Answer("notice", "error", f"{error} {before} stays chosen."), chosen
            return
        yield Answer("notice", "good", f"{name} is loaded and chosen. Press Show map."), name


def _select(found: SemanticMap, request: Request) -> tuple[np.ndarray, str]:
    """Return the mask, bool `(H, W)`, of what was clicked, and its label."""
    height, width = found.ids.shape
    if request.at is None:
        index = min(max(request.label or 0, 0), len(found.labels) - 1)
        return found.mask([found.labels[index]]), found.labels[index]
    x, y = (min(max(value, 0), size - 1) for value, size in zip(request.at, (width, height)))
    label = found.labels[found.ids[y, x]]
    regions = np.empty((height, width), np.int32)
    ndimage.label(found.mask([label]), output=regions)
    return regions == regions[y, x], label
