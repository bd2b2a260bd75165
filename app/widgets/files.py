"""Files that Gradio serves from where they lie."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from gradio.utils import get_upload_folder

from sair_core.errors import ConfigError


def new_file(name: str) -> Path:
    """A place for a file that Gradio serves from there as it is; nothing else is in its folder."""
    root = Path(get_upload_folder())
    root.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=root, prefix=own_prefix())) / name


def check_folder() -> None:
    """Raise ConfigError unless files can be written where Gradio serves from."""
    root = Path(get_upload_folder())
    try:
        root.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=root).close()
    except OSError as error:
        raise ConfigError(
            f"No files can be written in {root} ({error.strerror}): another user may own it. "
            "Name a folder of your own in the environment variable GRADIO_TEMP_DIR."
        ) from error


def own_prefix() -> str:
    """How the names of this process's own folders begin: other apps may keep theirs at the same place."""
    return f"sair-{os.getpid()}-"
