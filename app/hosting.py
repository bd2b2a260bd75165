"""What is different where many share one machine."""

from __future__ import annotations

import os


def hosted() -> bool:
    """Whether this runs as a Space, or as another shared host (SAIR_HOSTED=1)."""
    return bool(os.environ.get("SPACE_ID")) or os.environ.get("SAIR_HOSTED") == "1"
