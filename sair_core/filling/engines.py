"""Which engine fills: by the names that people read, or an inpainting model of others by file or hub id."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sair_core.errors import ConfigError
from sair_core.weights.bundled import BUNDLED_SAIR, BUNDLED_SPN

if TYPE_CHECKING:
    from sair_core.models.inpainter import Inpainter
    from sair_core.models.sair import Sair
    from sair_core.models.spn import Spn

NATURAL, SMOOTH, PAINTED = "Natural", "Smooth", "Painted"
# What fills a hole, as people read it: texture from the photo, a SAIR's likeliest colours, an SPN's detail.
ENGINES = (NATURAL, SMOOTH, PAINTED)


def match_engine(text: str) -> str | None:
    """Return the one of ENGINES that is meant, in whatever case; None where it must be a model of others."""
    return {name.casefold(): name for name in ENGINES}.get(text.strip().casefold())


def name_engine(engine: str) -> str:
    """Return what people call an engine: a file by its stem, a repository without its owner."""
    if (own := match_engine(engine)) is not None:
        return own
    name = Path(engine).stem if Path(engine).suffix else engine.rsplit("/", 1)[-1]
    return f"{name} (model)" if match_engine(name) else name


def load_engine(engine: str, model: str | Path = BUNDLED_SAIR) -> tuple[Sair | Spn | Inpainter, bool | None]:
    """Load what an engine fills with, and whether its fills get texture from the photo.

    engine: one of ENGINES, in any case, or a model of others as `find_inpainter` takes it, for which None
    says that it gets texture where it paints reduced. model: the SAIR, or of PAINTED the SPN, by bundled
    name, folder or hub id; the models of others do without.
    Raises ModelNotFoundError, CheckpointError, MissingDependencyError, and ConfigError for PAINTED with
    another kind of model.
    """
    from sair_core.models.inpainter import load_inpainter  # these bring torch
    from sair_core.models.load import load_model
    from sair_core.models.spn import Spn
    from sair_core.weights.inpainters import find_inpainter

    name = match_engine(engine)
    if name is None:
        return load_inpainter(find_inpainter(engine)), None
    loaded = load_model(_own_model(name, model))
    if name == PAINTED and not isinstance(loaded, Spn):
        raise ConfigError(f"The engine {PAINTED} needs an SPN, and {model} is none. Leave the model out.")
    return loaded, name == NATURAL


def digest_engine(engine: str, model: str | Path = BUNDLED_SAIR) -> str:
    """Return hexadecimal digits that change with what an engine fills with; see `load_engine`."""
    from sair_core.files import digest
    from sair_core.models.load import digest_model  # brings torch
    from sair_core.weights.inpainters import find_inpainter

    name = match_engine(engine)
    return digest(find_inpainter(engine)) if name is None else digest_model(_own_model(name, model))


def _own_model(name: str, model: str | Path) -> str | Path:
    return BUNDLED_SPN if name == PAINTED and model == BUNDLED_SAIR else model
