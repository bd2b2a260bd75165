"""A sheet of fills side by side, of photos that a seed chooses and nobody's hand.

python -m sair_core.evaluation --data D --masks objects --methods patchmatch natural sair spn \\
    --save-fills fills --save-masks masks
python benchmarks/contact_sheet.py --data D --fills fills --masks masks --prefix opennature_ \\
    --methods patchmatch natural sair spn --output docs/fills.jpg

Columns: the photo with its hole white, then each method. Fills are those that the evaluation has written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run from anywhere, installed or not

from sair_core.evaluation.samples import list_samples  # noqa: E402

GAP_PX, TITLE_PX = 4, 18


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of photos")
    parser.add_argument("--fills", type=Path, required=True, help="folder of --save-fills")
    parser.add_argument("--masks", type=Path, required=True, help="folder of --save-masks")
    parser.add_argument("--methods", nargs="+", default=["patchmatch", "natural", "sair", "spn"])
    parser.add_argument("--prefix", default="", help="only photos whose name begins so")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width-px", type=int, default=256, help="of each panel")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    samples = [s for s in list_samples(args.data) if s.path.name.startswith(args.prefix)]
    chosen = np.random.default_rng(args.seed).choice(len(samples), args.count, replace=False)
    rows = []
    for sample in (samples[i] for i in sorted(chosen)):
        photo = sample.load()
        (mask_path,) = args.masks.glob(f"{sample.index:05d}_*.png")
        hole = np.asarray(Image.open(mask_path).convert("L")) > 127
        panels = [Image.fromarray(np.where(hole[..., None], np.uint8(255), photo))]
        panels += [Image.open(args.fills / name / mask_path.name).convert("RGB") for name in args.methods]
        height = round(args.width_px * photo.shape[0] / photo.shape[1])
        rows.append([panel.resize((args.width_px, height), Image.Resampling.LANCZOS) for panel in panels])
    sheet(rows, ["hole", *args.methods], args.width_px).save(args.output, quality=88)
    print(f"{args.output}: {', '.join(samples[i].path.name for i in sorted(chosen))}")


def sheet(rows: list[list[Image.Image]], titles: list[str], width_px: int) -> Image.Image:
    """Rows of panels below their titles."""
    height = TITLE_PX + sum(row[0].height + GAP_PX for row in rows)
    picture = Image.new("RGB", (len(titles) * (width_px + GAP_PX) - GAP_PX, height), "white")
    draw = ImageDraw.Draw(picture)
    for i, title in enumerate(titles):
        draw.text((i * (width_px + GAP_PX) + 2, 3), title, fill="black")
    top = TITLE_PX
    for row in rows:
        for i, panel in enumerate(row):
            picture.paste(panel, (i * (width_px + GAP_PX), top))
        top += row[0].height + GAP_PX
    return picture


if __name__ == "__main__":
    main()
