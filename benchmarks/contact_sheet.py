"""A sheet of fills side by side, of photos that a seed chooses and nobody's hand.

python -m sair_core.evaluation --data D --masks objects --methods patchmatch natural sair spn \\
    --save-fills fills --save-masks masks
python benchmarks/contact_sheet.py --data D --fills fills --masks masks --prefix opennature_ \\
    --methods patchmatch natural sair spn --output docs/fills.jpg

Columns: the photo with its hole white, then each method. Fills are those that the evaluation has written.

python benchmarks/contact_sheet.py --data D --prefix opennature_ --count 30 --across 3 \\
    --words "bird, water, sky" --output docs/sheet_semantics.jpg

Columns: the photo, the map of these words over it, what a click in the middle selects.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run from anywhere, installed or not

from sair_core import InpaintPipeline  # noqa: E402
from sair_core.evaluation.samples import Sample, list_samples  # noqa: E402
from sair_core.evaluation.selection import show_click  # noqa: E402

GAP_PX, TITLE_PX = 4, 18


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of photos")
    parser.add_argument("--fills", type=Path, help="folder of --save-fills")
    parser.add_argument("--masks", type=Path, help="folder of --save-masks")
    parser.add_argument("--methods", nargs="+", default=["patchmatch", "natural", "sair", "spn"])
    parser.add_argument("--words", help="show the map of these instead of fills, and what a click selects")
    parser.add_argument("--prefix", default="", help="only photos whose name begins so")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--across", type=int, default=1, help="photos a row")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width-px", type=int, default=256, help="of each panel")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    if args.words is None and not (args.fills and args.masks):
        parser.error("give --fills and --masks, or --words")
    samples = [s for s in list_samples(args.data) if s.path.name.startswith(args.prefix)]
    places = np.random.default_rng(args.seed).choice(len(samples), args.count, replace=False)
    chosen = [samples[i] for i in sorted(places)]
    if args.words is None:
        titles = ["hole", *args.methods]
        panels = [fills_of(sample, args.fills, args.masks, args.methods) for sample in chosen]
    else:
        titles = ["photo", "map", "a click in the middle"]
        pipe = InpaintPipeline.from_pretrained("sair-lite")
        panels = [readings_of(sample, pipe, args.words) for sample in chosen]
    sheet(panels, titles, args.width_px, args.across).save(args.output, quality=88)
    print(f"{args.output}: {', '.join(sample.path.name for sample in chosen)}")


def fills_of(sample: Sample, fills: Path, masks: Path, methods: list[str]) -> list[Image.Image]:
    """Return the photo with its hole white, and the fill of each method."""
    (mask_path,) = masks.glob(f"{sample.index:05d}_*.png")
    hole = np.asarray(Image.open(mask_path).convert("L")) > 127
    holed = Image.fromarray(np.where(hole[..., None], np.uint8(255), sample.load()))
    return [holed, *(Image.open(fills / name / mask_path.name).convert("RGB") for name in methods)]


def readings_of(sample: Sample, pipe: InpaintPipeline, words: str) -> list[Image.Image]:
    """Return the photo, the map of the words over it, and what a click in its middle selects."""
    rgb = sample.load()
    height, width = rgb.shape[:2]
    clicked = show_click(pipe.selector, rgb, (width / 2, height / 2))
    overlay = pipe.semantics(rgb, words).overlay(rgb, 0.6)
    return [Image.fromarray(picture) for picture in (rgb, overlay, clicked)]


def sheet(photos: list[list[Image.Image]], titles: list[str], width_px: int, across: int) -> Image.Image:
    """Rows of panels below their titles, `across` photos a row."""
    panels = [[fit(panel, width_px) for panel in photo] for photo in photos]
    rows = [sum(panels[i : i + across], []) for i in range(0, len(panels), across)]
    heights = [max(panel.height for panel in row) for row in rows]
    size = (width_px + GAP_PX) * across * len(titles) - GAP_PX, TITLE_PX + sum(heights) + GAP_PX * len(rows)
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    for i, title in enumerate(titles * across):
        draw.text((i * (width_px + GAP_PX) + 2, 3), title, fill="black")
    top = TITLE_PX
    for row, height in zip(rows, heights, strict=True):
        for i, panel in enumerate(row):
            picture.paste(panel, (i * (width_px + GAP_PX), top))
        top += height + GAP_PX
    return picture


def fit(picture: Image.Image, width_px: int) -> Image.Image:
    height_px = round(width_px * picture.height / picture.width)
    return picture.resize((width_px, height_px), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
