"""The decoder against the same function written plainly: `python benchmarks/decode.py --help`.

Plainly is how the formula reads: for each query gather its four features, concatenate appearance, semantics,
place and cell, run the MLP on each, and take the weighted sum. Both answer the same queries in float32.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from benchmarks.machine import limit_cores, synthetic_photo  # noqa: E402
from sair_core.coords import cell_of, grid_coords  # noqa: E402
from sair_core.decoders.liif import LiifDecoder  # noqa: E402
from sair_core.evaluation.report import machine_facts  # noqa: E402
from sair_core.holes import to_rgb01  # noqa: E402
from sair_core.models.load import load_model  # noqa: E402
from sair_core.models.sair import Sair, decode_chunked  # noqa: E402
from sair_core.photos.photo import load_photo  # noqa: E402
from sair_core.weights.bundled import BUNDLED_SAIR  # noqa: E402

BAR = 3.0
TOLERANCE = 1e-4
RUNS = 5
PLAIN_CHUNK = 8192  # queries at once; larger ones were slower


def main(argv: Sequence[str] | None = None) -> int:
    """Prints both times; exit status 1 if ours is not three times as fast at equal output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=BUNDLED_SAIR, help="name, folder or hub id (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="use this many, 0 = all (default: %(default)s)")
    parser.add_argument("--side", type=int, default=512, help="output px a side (default: %(default)s)")
    args = parser.parse_args(argv)
    limit_cores(args.cores)
    torch.set_num_threads(args.cores or torch.get_num_threads())
    model = load_model(args.model).eval()
    with torch.inference_mode():
        plain, ours = both(model, args.side)
        difference = (plain() - ours()).abs().max().item()
        seconds = [min(timed(work) for _ in range(RUNS)) for work in (plain, ours)]
    ratio = seconds[0] / seconds[1]
    met = ratio >= BAR and difference <= TOLERANCE
    print(f"{args.side} x {args.side} queries, float32, features of a 256 x 256 px photo")
    print(f"plain {seconds[0]:.3f} s, ours {seconds[1]:.3f} s: {ratio:.1f} times as fast (bar {BAR:g})")
    print(f"largest difference {difference:.1e} (bar {TOLERANCE:g}): {'met' if met else 'missed'}")
    print("; ".join(f"{name}: {value}" for name, value in machine_facts().items()))
    return int(not met)


def both(model: Sair, side_px: int) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """The two ways to answer the same queries, features already there."""
    rgb01 = to_rgb01(load_photo(synthetic_photo(256, 256)).rgb)
    seen = {}
    project = model.air.project
    model.air.project = lambda z, c: seen.update(z=z, c=c) or project(z, c)
    features = model.encode(rgb01, torch.zeros_like(rgb01[:, :1]))
    model.air.project = project
    coords = grid_coords((side_px, side_px)).flatten(0, 1)[None]
    cell = cell_of((side_px, side_px))[None]
    z, c = seen["z"], seen["c"]
    if c is not None:
        z = torch.cat([z, F.interpolate(c, z.shape[-2:], mode="bilinear", align_corners=False)], dim=1)

    def plain() -> Tensor:
        chunks = coords.split(PLAIN_CHUNK, dim=1)
        return torch.cat([plain_decode(model.air.decoder, z, chunk, cell) for chunk in chunks], dim=1)

    return plain, lambda: decode_chunked(model.decode, features, coords, cell)


def plain_decode(decoder: LiifDecoder, features: Tensor, coords_yx: Tensor, cell: Tensor) -> Tensor:
    """`rgb_p = sum_q w_q f([feature_q, d(p, q), cell])` at coords `(1, N, 2)`, step by step."""
    height, width = features.shape[-2:]
    size = torch.tensor([height, width])
    position = (coords_yx + 1) * size / 2 - 0.5  # in cells
    low = position.floor()
    weights = [decoder.first_feature.weight.flatten(1), decoder.first_coord.weight]
    total = 0
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        cells = torch.minimum((low + torch.tensor(corner)).clamp_min(0), size - 1)
        offset = position - cells
        weight = (1 - (low + torch.tensor(corner) - position).abs()).prod(-1, keepdim=True)
        index = (cells[..., 0] * width + cells[..., 1]).long()
        feature = features.flatten(2).transpose(1, 2)[0][index[0]][None]
        parts = [feature, offset]
        if decoder.config.use_cell:
            parts.append((cell * size / 2)[:, None].expand_as(offset))
        x = F.relu(F.linear(torch.cat(parts, dim=-1), torch.cat(weights, dim=1), decoder.first_feature.bias))
        for layer in decoder.middle:
            x = F.relu(layer(x))
        total = total + weight * decoder.last(x)
    return total


def timed(work: Callable[[], Tensor]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
