"""How models are loaded: the only place of the app that imports the pipeline."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sair_core.errors import ModelNotFoundError, SairError
from sair_core.weights.bundled import BUNDLED_SAIR

from ..host.limits import hosted
from .zero import BorrowingPipeline, on_lent_gpu

if TYPE_CHECKING:
    from sair_core.pipeline import InpaintPipeline
    from sair_core.semantics.reader import SemanticReader

# Names only, never a path: the visitor must not reach the server's files through the encoder's field.
ENCODER_NAME = re.compile(r"hf-hub:\w[\w.-]*/\w[\w.-]*|\w[\w.-]*(/\d[\w.-]*)? \w[\w.-]*", re.ASCII)


def load_pipeline(
    model: str = BUNDLED_SAIR, device: str = "auto", engine: str | None = None
) -> InpaintPipeline | BorrowingPipeline:
    """Load a model by name, folder or hub id, or what an engine fills with. Raises what
    `InpaintPipeline.from_pretrained` raises."""
    from sair_core.pipeline import InpaintPipeline  # imports torch, which takes seconds

    return on_lent_gpu(InpaintPipeline.from_pretrained(model, engine=engine, device=device))


def load_reader(encoder: str, device: str) -> SemanticReader:
    """Load a reader with an encoder of open_clip's ("NAME TAG") or of the hub's ("hf-hub:..."): fetched, then
    kept on disk.

    Raises ModelNotFoundError when it is no such name or cannot be fetched, and wherever the app is hosted: a
    visitor's wish must not fill the host's disk.
    """
    if hosted():
        raise ModelNotFoundError("Other encoders are not fetched on this host. Choose the bundled one.")
    if not ENCODER_NAME.fullmatch(encoder):
        raise ModelNotFoundError(
            f"{encoder!r} names no encoder. Write an open_clip name and the tag of its weights, for example "
            '"ViT-B-16 laion2b_s34b_b88k", or a repository as "hf-hub:organisation/name".'
        )
    import open_clip  # takes seconds

    from sair_core.encoders.semantic import SemanticConfig
    from sair_core.semantics.reader import SemanticReader

    name, _, tag = encoder.partition(" ")
    if tag and not open_clip.is_pretrained_cfg(name.replace("/", "-"), tag):
        raise ModelNotFoundError(
            f"open_clip has no weights {tag!r} for {name!r}. Choose a name and a tag of "
            "docs/PRETRAINED.md in its repository."
        )
    try:
        return SemanticReader.from_pretrained(
            SemanticConfig(name, tag or None, keep_text=True), device=device
        )
    except SairError:
        raise
    except (OSError, ValueError, RuntimeError) as error:  # what the libraries below say in their own words
        raise ModelNotFoundError(f"{encoder} could not be loaded ({error}). Choose another.") from error
