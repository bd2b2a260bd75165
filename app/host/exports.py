"""Formats and sizes in which photos, views and exports are written."""

from __future__ import annotations

from sair_core.errors import ConfigError, PhotoTooLargeError
from sair_core.photos.formats import WRITABLE_FORMATS
from sair_core.window import MAX_SCALE, Window

from .limits import limits

EXPORT_MEGAPIXELS = {"PNG": 100, "JPEG": 100, "WebP": 100, "TIFF": 400}
EXPORT_FORMATS = {  # name -> suffix without its dot
    name: WRITABLE_FORMATS[name.upper()].suffixes[0].removeprefix(".") for name in EXPORT_MEGAPIXELS
}
PHOTO_FORMATS = {name: suffix for name, suffix in EXPORT_FORMATS.items() if name != "TIFF"}
MAX_VIEW_PX = 1600  # a side


def check_view(size_px: tuple[int, int]) -> None:
    """Raise ConfigError for a view of (height, width) that is larger than any window shows."""
    if max(size_px) > MAX_VIEW_PX:
        height, width = size_px
        raise ConfigError(
            f"A view has at most {MAX_VIEW_PX} px a side, not {width} x {height}. Make the window smaller."
        )


def whole_window(photo_px: tuple[int, int], scale: float | None) -> Window:
    """Return the window of a whole photo at `scale`. Raises ConfigError for a scale beyond 1 to 64."""
    if scale is None or not 1 <= scale <= MAX_SCALE:
        raise ConfigError(f"Give a scale from 1 to {MAX_SCALE:g}, for example 2.5.")
    window = Window.whole(photo_px, scale)
    return window.part(*window.inside(photo_px))  # an output pixel that lies half inside is left out


def export_limits() -> dict[str, dict[str, int]]:
    """Return the largest export by format: `{"megapixels", "side"}`, the side in px."""
    most = limits().export_megapixels
    return {
        format: {
            "megapixels": megapixels if most is None else min(megapixels, most),
            "side": WRITABLE_FORMATS[format.upper()].max_side_px,
        }
        for format, megapixels in EXPORT_MEGAPIXELS.items()
    }


def check_export(size_px: tuple[int, int], format: str) -> None:
    """Raise PhotoTooLargeError for an export of (height, width) beyond `export_limits`."""
    height, width = size_px
    limit = export_limits()[format]
    size = f"The result would be {width} x {height} px ({height * width / 1e6:.1f} megapixels)"
    if height * width > limit["megapixels"] * 1e6:
        raise PhotoTooLargeError(
            f"{size}, but at most {limit['megapixels']} megapixels are written as {format} here. Choose a "
            "smaller scale, or export a view."
        )
    if max(size_px) > limit["side"]:
        raise PhotoTooLargeError(
            f"{size}, but {format} holds at most {limit['side']} px a side. Choose TIFF or a smaller scale."
        )
