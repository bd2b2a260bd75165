"""Files that are there whole or not at all, and what identifies their content."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
# Models, vocabularies, examples: inside the package where it was installed, beside it in a checkout.
ASSETS = _PACKAGE / "assets" if (_PACKAGE / "assets").is_dir() else _PACKAGE.parent / "assets"
CHUNK_BYTES = 2**20
NAME_BYTES = 255  # of a file's name, on all usual disks
TEMPORARY = re.compile(r"\.(?P<name>.+)\.\d+")


class replacing:
    """`with replacing(path) as temporary:` write to `temporary`; it takes `path`'s place only on success."""

    def __init__(self, path: Path):
        self.path, self.temporary = path, path.with_name(f".{_shorten(path.name)}.{os.getpid()}")

    def __enter__(self) -> Path:
        return self.temporary

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            if kind is None:
                os.replace(self.temporary, self.path)
        finally:
            self.temporary.unlink(missing_ok=True)


def find_leftovers(folder: Path, names: set[str]) -> list[Path]:
    """Return what `replacing` left in a folder where its process was killed: files of these names."""
    names = set(map(_shorten, names))
    matches = ((path, TEMPORARY.fullmatch(path.name)) for path in folder.glob(".*"))
    return [path for path, match in matches if match and match["name"] in names]


def _shorten(name: str) -> str:
    """Return the name, or its digest where nothing more could be added to it."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= NAME_BYTES - 32 else hashlib.blake2b(encoded, digest_size=16).hexdigest()


def digest(*paths: Path) -> str:
    """Return 32 hexadecimal digits that say what the files hold, one after the other. Raises OSError."""
    state = hashlib.blake2b(digest_size=16)
    for path in paths:
        state.update(path.stat().st_size.to_bytes(8, "big"))  # where one file ends and the next begins
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                state.update(chunk)
    return state.hexdigest()
