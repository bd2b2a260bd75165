"""What happens on the server when the textured engine fills, a variation is taken, or its priors are seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sair_core.errors import ConfigError, SairError
from sair_core.photos.photo import Photo

from ..serving.service import FillService
from ..session import NoPhotoError, Session, Tries
from ..widgets.pictures import cluster_picture, patches, whole_picture
from ..widgets.protocol import Answer, Request
from ..widgets.requests import follow, painted_mask, photo_of, refusal
from .actions import EditActions, check_hole, result_answer

FAITHFUL, TEXTURED = "Faithful (SAIR)", "Textured (SPN)"
ENGINES = (FAITHFUL, TEXTURED)
PRIORS_HINT = "In a column, equal colours are the same kind of place to the model."


class VariationActions:
    """Every method takes a Request and the visitor's Session and gives Answers; errors are answers too."""

    def __init__(self, service: FillService, edit: EditActions):
        """edit: what the other engine fills with."""
        self.service, self.edit = service, edit

    def fill(
        self,
        request: Request,
        session: Session | None,
        words: str = "",
        strength: float = 1.0,
        engine: str = FAITHFUL,
        count: float = 1,
        seed: float | None = 0,
    ) -> Iterator[Answer]:
        """Fill the painted part with one of ENGINES. The textured one does so `count` times, with the seeds
        from `seed` on, and several fills are kept to choose from; one alone is a result at once."""
        if engine != TEXTURED:
            yield from self.edit.fill(request, session, words, strength)
            return
        try:
            photo, mask = _to_fill(request, session)
            assert session is not None
            kept = min(int(count), session.room)
            results = yield from follow(
                lambda report: self.service.start_variations(
                    photo, mask, kept, seed=_whole(seed), progress=report
                )
            )
            made = {one.seed: one.photo for one in results}
        except SairError as error:
            yield refusal(error)
            return
        seconds = sum(one.seconds for one in results)
        notes = " The words were left out: only Faithful listens to them." if words.strip() else ""
        if len(made) == 1:
            ((first, filled),) = made.items()
            text = f"Filled with seed {first} in {seconds:.1f} s.{notes}"
            yield result_answer(request, session, request.base, filled, mask, text)
            return
        if kept < count:
            notes += f" The photo is too large to keep more than {kept}."
        session.tries = Tries(request.base, mask, made)
        pictures = [patches(filled, mask) for filled in made.values()]
        text = f"{kept} variations in {seconds:.1f} s. Point at one to see it, click to take it.{notes}"
        more = {"base": request.base, "seeds": list(made), "parts": len(pictures[0])}
        yield Answer("variations", "good", text, tuple(sum(pictures, [])), more=more)

    def take(self, request: Request, session: Session | None) -> Answer:
        """Make one of the newest variations, by its seed, a result."""
        try:
            photo_of(request, session)
            assert session is not None
            tries = session.tries
            if tries is None or request.seed not in tries.photos:
                raise NoPhotoError("This variation is no longer kept. Press Fill to make it again.")
        except SairError as error:
            return refusal(error)
        text = f"You took seed {request.seed}."
        return result_answer(request, session, tries.of, tries.photos[request.seed], tries.mask, text)

    def priors(self, request: Request, session: Session | None, seed: float | None = 0) -> Iterator[Answer]:
        """Show what the textured engine expects in the painted part, for `seed` and where it draws the next.

        The pictures come row by row, a row a seed: its priors, coarsest first, then its fill.
        """
        try:
            photo, mask = _to_fill(request, session)
            views = yield from follow(
                lambda report: self.service.start_priors(photo, mask, seed=_whole(seed), progress=report)
            )
        except SairError as error:
            yield refusal(error)
            return
        pictures = [
            picture
            for view in views
            for picture in (*map(cluster_picture, view.levels), whole_picture(view.rgb))
        ]
        columns = [*(f"Prior at 1/{stride}" for stride in views[0].strides_px), "Fill"]
        more = {"seeds": [view.seed for view in views], "columns": columns}
        yield Answer("priors", "good", PRIORS_HINT, tuple(pictures), more=more)


def _to_fill(request: Request, session: Session | None) -> tuple[Photo, np.ndarray]:
    photo = photo_of(request, session)
    mask = painted_mask(request, photo.size_px)
    check_hole(mask)
    return photo, mask


def _whole(seed: float | None) -> int:
    if seed is None or seed != int(seed):
        raise ConfigError("The seed must be a whole number, for example 0.")
    return int(seed)
