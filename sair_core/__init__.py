"""SAIR: a continuous, semantic-aware representation of a photo, and the pipeline that fills holes with it.

from sair_core import InpaintPipeline

pipe = InpaintPipeline.from_pretrained("sair-lite")
result = pipe.fill("photo.jpg", "mask.png")
result.image.save("filled.png")
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Names are loaded on first use: importing the package costs nothing, and torch only when it is needed.
_HOME = {
    "InpaintPipeline": "sair_core.pipeline",
    "FillResult": "sair_core.filling.result",
    "Sair": "sair_core.models.sair",
    "SairConfig": "sair_core.models.sair",
    "preset": "sair_core.models.presets",
    "load_model": "sair_core.models.load",
    "SairError": "sair_core.errors",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sair_core' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
