"""Methods of others in the same table: a command that fills one photo, or a folder of finished fills."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sair_core.errors import ConfigError, MethodError, PhotoError
from sair_core.files import replacing
from sair_core.photos.masks import mask_to_image
from sair_core.photos.photo import load_photo

TIMEOUT_SECONDS = 600.0  # of one fill
PLACES = ("{photo}", "{mask}", "{output}")
SECONDS = "sair-seconds"  # the text in a PNG that says how long a fill took


@dataclass(frozen=True)
class FinishedFills:
    """Fills in a folder: FOLDER/NAME.png for each hole, NAME as in the folder of saved masks."""

    folder: Path

    def has(self, name: str) -> bool:
        return self._path(name).is_file()

    def read(self, name: str, size_px: tuple[int, ...]) -> tuple[np.ndarray, float | None]:
        """The fill, uint8 (H, W, 3) of `size_px` (height, width), and the seconds it took, None if unknown.

        Raises MethodError.
        """
        filled = _read_fill(self._path(name), size_px)
        with Image.open(self._path(name)) as image:
            seconds = image.info.get(SECONDS)
        return filled, None if seconds is None else float(seconds)

    def write(self, name: str, filled: np.ndarray, seconds: float | None) -> None:
        """Write a fill, uint8 (H, W, 3); the folder is made where needed."""
        facts = PngInfo()
        if seconds is not None:
            facts.add_text(SECONDS, str(seconds))
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self._path(name)) as temporary:
            Image.fromarray(filled).save(temporary, format="PNG", pnginfo=facts)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.png"


class Command:
    """A program that is run once for each hole. Its time includes its start."""

    def __init__(self, command: str, timeout_seconds: float = TIMEOUT_SECONDS):
        """command: split into words as a shell does, but no shell runs it; {photo}, {mask} and {output} stand
        for the PNG files to read (white = hole) and to write. Raises ConfigError when one is not there."""
        self.words = shlex.split(command)
        self.timeout_seconds = timeout_seconds
        missing = [place for place in PLACES if place not in command]
        if missing:
            raise ConfigError(
                f"The command {command!r} lacks {', '.join(missing)}. Write it where the path belongs."
            )

    def __call__(self, photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """photo: uint8 (H, W, 3), mask: bool (H, W), True = hole -> uint8 (H, W, 3). Raises MethodError."""
        with tempfile.TemporaryDirectory() as folder:
            files = {place: Path(folder) / f"{place[1:-1]}.png" for place in PLACES}
            Image.fromarray(photo).save(files["{photo}"])
            mask_to_image(mask).save(files["{mask}"])
            self._run([_replace(word, files) for word in self.words])
            return _read_fill(files["{output}"], mask.shape)

    def _run(self, words: list[str]) -> None:
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=self.timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise MethodError(
                f"it took longer than {self.timeout_seconds:g} s. Give a faster command."
            ) from error
        except OSError as error:
            raise MethodError(f"it cannot be run ({error}). Check the command.") from error
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise MethodError(
                f"exit status {done.returncode}: {last[0]}. Run the command by itself to see why."
            )


def read_method(text: str) -> tuple[str, Command | FinishedFills]:
    """A name and what stands for it: "NAME=FOLDER", or "NAME=program {photo} {mask} {output}".

    Raises ConfigError.
    """
    name, separator, source = text.partition("=")
    if not (separator and name and source):
        raise ConfigError(f"A method must be NAME=FOLDER or NAME=COMMAND, got {text!r}.")
    if Path(source).is_dir():
        return name, FinishedFills(Path(source))
    if not any(place in source for place in PLACES):
        raise ConfigError(
            f"{source!r} is no folder, and no command. Give one of the two, a command with"
            f" {', '.join(PLACES)}."
        )
    return name, Command(source)


def _replace(word: str, files: dict[str, Path]) -> str:
    for place, path in files.items():
        word = word.replace(place, str(path))
    return word


def _read_fill(path: Path, size_px: tuple[int, ...]) -> np.ndarray:
    try:
        rgb = load_photo(path).rgb
    except PhotoError as error:
        raise MethodError(f"{path.name}: {error}") from error
    if rgb.shape[:2] != size_px:
        raise MethodError(
            f"{path.name} is {rgb.shape[1]} x {rgb.shape[0]} px, the photo {size_px[1]} x {size_px[0]} px."
            " A fill must have the size of its photo."
        )
    return rgb
