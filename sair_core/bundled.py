"""Where the models that come with the project lie."""

from pathlib import Path

BUNDLED = Path(__file__).resolve().parents[1] / "assets" / "models"
