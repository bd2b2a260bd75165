"""Guided exemplar synthesis: a hole is filled with pixels copied from elsewhere in the same photo.

The hole's patches find similar patches in the known part, coarse to fine (Wexler, Shechtman and Irani,
"Space-Time Completion of Video", 2007; PatchMatch: Barnes et al., SIGGRAPH 2009). What the photo cannot tell
comes from guides: the colours of another fill, what is where, and how much texture there is.
"""

from sair_core.filling.texture.config import TextureConfig
from sair_core.filling.texture.synthesis import TextureResult, synthesize

__all__ = ["TextureConfig", "TextureResult", "synthesize"]
