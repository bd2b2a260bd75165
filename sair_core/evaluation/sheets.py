"""Pictures of an evaluation: what each method made of a hole, to be looked at side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

COLUMNS = 6
GAP_PX, TITLE_PX = 4, 16


def picture_sheet(
    photo: np.ndarray, mask: np.ndarray, pictures: Mapping[str, np.ndarray | None], columns: int = COLUMNS
) -> Image.Image:
    """The photo, what is left of it (the hole white), and each method's fill, with their names on top.

    photo: uint8 (H, W, 3); mask: bool (H, W), True = hole; pictures: as the photo, by method; None where a
    method failed. As many rows of so many panels as it takes.
    """
    left = np.where(mask[..., None], np.uint8(255), photo)
    panels = {"photo": photo, "hole": left, **pictures}
    height, width = photo.shape[:2]
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    step_y, step_x = height + TITLE_PX + GAP_PX, width + GAP_PX
    sheet = Image.new("RGB", (columns * step_x - GAP_PX, rows * step_y - GAP_PX), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (name, panel) in enumerate(panels.items()):
        y, x = i // columns * step_y, i % columns * step_x
        draw.text((x + 2, y + 2), name if panel is not None else f"{name}: failed", fill="black")
        if panel is not None:
            sheet.paste(Image.fromarray(panel), (x, y + TITLE_PX))
    return sheet
