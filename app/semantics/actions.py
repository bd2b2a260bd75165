"""What happens on the server when something is pressed in the Semantics tab."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from sair_core.errors import SairError
from sair_core.photos.masks import hole_ratio
from sair_core.semantics.map import SemanticMap
from sair_core.semantics.words import EVERYTHING_ELSE

from ..host.guards import some_labels
from ..serving.service import BUNDLED, FillService
from ..session import MadeMap, NoMapError, Session
from ..widgets.pictures import display_size, legend, map_picture
from ..widgets.protocol import Answer, Request
from ..widgets.requests import follow, mask_answer, painted_mask, percent, photo_of, refusal

SEEN, HIDDEN, COMPLETED = "As it is", "Hidden", "Completed"
UNDER_MASK = (SEEN, HIDDEN, COMPLETED)
FILES = {"map": ("sair-map.png", SemanticMap.png), "embedding": ("sair-embedding.npy", SemanticMap.npy)}
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
            photo = photo_of(request, session, seen=True)
            names = [*some_labels(labels), *([EVERYTHING_ELSE] if rest else [])]
            mask = None if under_mask == SEEN else painted_mask(request, photo.size_px)
            hole = None if mask is None or not mask.any() else mask
            reading = yield from follow(
                lambda report: self.service.start_reading(
                    photo, names, hole, complete=under_mask == COMPLETED, encoder=encoder, progress=report
                )
            )
        except SairError as error:
            yield refusal(error)
            return
        assert session is not None
        of = request.seen or request.base
        session.map = MadeMap(of, reading.map, hole, under_mask == COMPLETED, encoder)
        lacking = under_mask == COMPLETED and hole is not None and not reading.completed
        more = {"legend": legend(reading.map), "hole": hole is not None}
        level, text = ("warn", NO_SIR) if lacking else ("good", HINT)
        yield Answer("map", level, text, (map_picture(reading.map),), more=more)

    def choose(self, request: Request, session: Session | None) -> Answer:
        """Make a label the mask, or of the label at one place the region around it."""
        try:
            made = made_map(request, session)
            mask, label = _chosen(made.map, request)
            if not mask.any():
                return Answer("notice", "warn", f"This map shows no {label}. Choose another label.")
        except SairError as error:
            return refusal(error)
        done = "added to the mask" if request.add else "marked"
        text = f"{label}: {percent(hole_ratio(mask))} of the photo is {done}. Press Fill."
        return mask_answer(mask, text, display_size(mask.shape), of=made.of, add=request.add)

    def save(self, request: Request, session: Session | None, what: str) -> Answer:
        """Offer the newest map as a file. what: a key of FILES."""
        try:
            found = made_map(request, session).map
        except SairError as error:
            return refusal(error)
        name, encode = FILES[what]
        data = encode(found)
        text = f"Saved {name}, {len(data) / 1e6:.1f} MB."
        if what == "embedding":
            text += f" A float16 array of {' x '.join(map(str, found.embedding.shape))}."
        return Answer("download", "good", text, file=data, name=name)

    def load_encoder(
        self, request: Request, session: Session | None, name: str, chosen: str
    ) -> Iterator[tuple[Answer, str]]:
        """Load an encoder by name. Yields Answers, each with the encoder to be chosen from then on."""
        name = " ".join(name.split())
        if name.lower() in ("", BUNDLED.lower()):
            yield Answer("notice", "good", "The bundled encoder is chosen."), BUNDLED
            return
        try:
            for answer in follow(lambda report: self.service.start_encoder(name, progress=report)):
                yield answer, chosen
        except SairError as error:
            kept = "The bundled encoder" if chosen == BUNDLED else chosen
            yield Answer("notice", "error", f"{error} {kept} stays chosen."), chosen
            return
        yield Answer("notice", "good", f"{name} is loaded and chosen. Press Show map."), name


def made_map(request: Request, session: Session | None, *, of: str | None = None) -> MadeMap:
    """The newest map. Raises NoMapError where there is none, or with `of` none of the photo of that id."""
    photo_of(request, session)
    assert session is not None
    if session.map is None or of not in (None, session.map.of):
        raise NoMapError("There is no map of this photo yet. Type labels and press Show map.")
    return session.map


def _chosen(found: SemanticMap, request: Request) -> tuple[np.ndarray, str]:
    """The mask, bool `(H, W)`, of what was clicked, and its label."""
    height, width = found.ids.shape
    if request.at is None:
        index = min(max(request.label or 0, 0), len(found.labels) - 1)
        return found.mask([found.labels[index]]), found.labels[index]
    x, y = (min(max(value, 0), size - 1) for value, size in zip(request.at, (width, height)))
    label = found.labels[found.ids[y, x]]
    regions, _ = ndimage.label(found.mask([label]))
    return regions == regions[y, x], label
