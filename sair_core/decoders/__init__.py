"""Implicit functions: feature maps to values at continuous coordinates."""

from sair_core.decoders.liif import LiifConfig, LiifDecoder
from sair_core.decoders.lte import LteConfig, LteDecoder

# name -> (module, config). A new implicit function is one file and one line here.
DECODERS = {"liif": (LiifDecoder, LiifConfig), "lte": (LteDecoder, LteConfig)}
