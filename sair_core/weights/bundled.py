"""Where the models that come with the project lie, and what they are called."""

from sair_core.files import ASSETS

BUNDLED = ASSETS / "models"
BUNDLED_SAIR, BUNDLED_SPN = "sair-lite", "spn-lite"
BUNDLED_ENCODER = "sair-clip"  # the text-aligned encoder that names pixels
BUNDLED_SELECTION = "sair-select"  # what selects the object under points


def is_bundled(name: str) -> bool:
    """Whether a model of that name comes with the project."""
    return (BUNDLED / name / "config.json").is_file()
