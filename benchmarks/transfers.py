"""What travels between page and server for a large photo: `python benchmarks/transfers.py --help`.

Bytes, and the seconds that the server takes to encode or decode them; the network takes its own.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from app.widgets.pictures import Picture, encode_mask, encode_patches, encode_preview  # noqa: E402
from benchmarks.machine import as_markdown, square_mask, synthetic_photo, write_section  # noqa: E402
from sair_core.evaluation.report import machine_facts  # noqa: E402
from sair_core.photos.photo import load_photo  # noqa: E402

T = TypeVar("T")


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table of what travels, in the order of a fill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(3000, 4000), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--hole", type=int, default=400, help="px a side (default: %(default)s)")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write its section `transfers` anew")
    args = parser.parse_args(argv)
    text = measure(tuple(args.size), args.hole)
    print(text)
    if args.page:
        write_section(args.page, "transfers", text)
    return 0


def measure(size_px: tuple[int, int], hole_side: int) -> str:
    """Return the table for a photo of size_px (height, width) and a square hole."""
    file = io.BytesIO()
    synthetic_photo(*size_px).save(file, "JPEG", quality=92)
    photo, opening = timed(lambda: load_photo(file.getvalue()))
    hole = square_mask(*size_px, side=hole_side)
    mask, masking = timed(lambda: encode_mask(hole))
    preview, showing = timed(lambda: encode_preview(photo))
    patches, answering = timed(lambda: encode_patches(photo, hole))
    whole, all_of_it = timed(lambda: encode_patches(photo, np.ones_like(hole)))
    assert mask is not None
    rows = [
        ("", "kB", "seconds on the server"),
        ("upload: the photo's own file", size(len(file.getvalue())), f"{opening:.2f}"),
        ("preview of it, once", count([preview]), f"{showing:.2f}"),
        ("mask: the painted part", count([mask]), f"{masking:.3f}"),
        ("result: the rectangles that changed", count(patches), f"{answering:.3f}"),
        ("for comparison, all of the result", count(whole), f"{all_of_it:.2f}"),
    ]
    facts = "; ".join(f"{name}: {value}" for name, value in machine_facts().items())
    head = f"A photo of {size_px[1]} x {size_px[0]} px, a hole of {hole_side} x {hole_side} px:"
    return "\n\n".join([head, as_markdown(rows), facts])


def timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    found = work()
    return found, time.perf_counter() - began


def count(pictures: Sequence[Picture]) -> str:
    return size(sum(len(picture.data) for picture in pictures if isinstance(picture.data, bytes)))


def size(count_bytes: int) -> str:
    return f"{count_bytes / 1000:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
