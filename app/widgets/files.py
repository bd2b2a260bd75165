"""Files that Gradio serves from where they lie."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from pathlib import Path

import psutil
from gradio.utils import get_upload_folder

from sair_core.errors import ConfigError

OWN_FOLDER = re.compile(r"sair-(?P<pid>\d+)-[a-z0-9_]+")


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


def delete_leftovers(age_seconds: float) -> None:
    """Delete the folders of `new_file` whose process was killed, and that nobody has changed for so long.

    Not what visitors sent to it: Gradio names that by its content, and other apps may keep theirs there.
    """
    for folder in Path(get_upload_folder()).glob("sair-*"):
        match = OWN_FOLDER.fullmatch(folder.name)
        if match is not None and not psutil.pid_exists(int(match["pid"])) and _is_old(folder, age_seconds):
            shutil.rmtree(folder, ignore_errors=True)


def _is_old(folder: Path, age_seconds: float) -> bool:
    """Whether it is a folder of this user's, and unchanged for so long."""
    try:
        facts = folder.lstat()
    except OSError:  # another app has just deleted it
        return False
    ours = not hasattr(os, "getuid") or facts.st_uid == os.getuid()
    return ours and stat.S_ISDIR(facts.st_mode) and time.time() - facts.st_mtime > age_seconds


def own_prefix() -> str:
    """How the names of this process's own folders begin: other apps may keep theirs at the same place."""
    return f"sair-{os.getpid()}-"
