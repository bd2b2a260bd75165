"""Compare enlargements of reduced photos: `python -m sair_core.evaluation.zoom`."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from tqdm import tqdm

from sair_core.command_line import DONE, SOME_FAILED, Option, run_command
from sair_core.config import strict_dataclass
from sair_core.errors import ConfigError
from sair_core.evaluation import report
from sair_core.evaluation.metrics import psnr, ssim
from sair_core.evaluation.samples import list_samples
from sair_core.photos.photo import load_photo
from sair_core.pipeline import InpaintPipeline
from sair_core.weights.bundled import BUNDLED_SAIR
from sair_core.window import Window

MIN_SIDE_PX = 24  # of a reduced photo
RESAMPLED = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
# The sRGB form of Rec. 601's luma, as super-resolution papers measure it (16 to 235).
LUMA_601 = np.array([65.481, 128.553, 24.966]) / 255
BARS_DB = {2.0: 0.5, 3.0: 0.5, 4.0: 0.3, 6.0: 0.0}  # PSNR-Y over the better of the two

Enlarge = Callable[[np.ndarray, float], np.ndarray]
Figures = dict[str, dict[str, float]]  # method -> figure -> mean over photos


@strict_dataclass
class ZoomOptions:
    """Reduce photos, enlarge them again, and compare with bicubic and Lanczos."""

    data: Annotated[Path, Option(metavar="FOLDER")]
    """folder of photos"""
    model: tuple[str, ...] = (BUNDLED_SAIR,)
    """names, folders or hub ids"""
    scales: Annotated[tuple[float, ...], Option(metavar="SCALE")] = tuple(BARS_DB)
    """how much the photos are reduced and enlarged"""
    limit: int = 100
    """photos, spread evenly over the folder"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""
    json: Annotated[Path | None, Option(metavar="FILE")] = None
    """write the figures"""


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.evaluation.zoom") -> int:
    """Run the command line and return its exit status, 1 after a missed bar."""
    return run_command(_evaluate, ZoomOptions, argv, prog=prog)


def _evaluate(options: ZoomOptions) -> int:
    started = time.perf_counter()
    methods = _methods(options.model, options.device)
    photos = [load_photo(one.path).rgb for one in list_samples(options.data, options.limit)]
    tables = {scale: measure(photos, scale, methods) for scale in options.scales}
    met = _show(tables, len(photos))
    minutes = round((time.perf_counter() - started) / 60, 1)
    facts = {**report.machine_facts(), "minutes": minutes}
    print("; ".join(f"{name}: {value}" for name, value in facts.items()))
    if options.json:
        report.write_json(options.json, {"photos": len(photos), "figures": tables, "machine": facts})
    return DONE if met else SOME_FAILED


def measure(photos: Sequence[np.ndarray], scale: float, methods: dict[str, Enlarge]) -> Figures:
    """Mean PSNR-Y, PSNR and SSIM of photos that were reduced by `scale` and enlarged by each method.

    photos: uint8 `(H, W, 3)`. They are cut to a multiple of the scale and reduced with antialiased bicubic; a
    border of `scale` px is not scored, as is usual.
    """
    values: dict[str, list[tuple[float, float, float]]] = {name: [] for name in methods}
    for rgb in tqdm(photos, desc=f"x{scale:g}", unit="photo", leave=False, disable=None):
        small_px = [int(n / scale) for n in rgb.shape[:2]]
        if min(small_px) < MIN_SIDE_PX:
            raise ConfigError(
                f"A photo of {rgb.shape[1]} x {rgb.shape[0]} px is too small for x{scale:g}. Use larger ones."
            )
        true = rgb[: round(small_px[0] * scale), : round(small_px[1] * scale)]
        small = Image.fromarray(true).resize(small_px[::-1], Image.Resampling.BICUBIC)
        for name, enlarge in methods.items():
            found = enlarge(np.asarray(small), scale)
            values[name].append(_compare(found, true, round(scale)))
    return {
        name: dict(zip(("psnr_y", "psnr", "ssim"), (statistics.fmean(column) for column in zip(*rows))))
        for name, rows in values.items()
    }


def _compare(found: np.ndarray, true: np.ndarray, border_px: int) -> tuple[float, float, float]:
    inner = np.s_[border_px:-border_px, border_px:-border_px]
    found, true = found[inner], true[inner]
    luma = [(np.rint(picture @ LUMA_601 + 16)).astype(np.uint8) for picture in (found, true)]
    return psnr(*luma), psnr(found, true), ssim(found, true)


def _methods(models: Sequence[str], device: str) -> dict[str, Enlarge]:
    def plain(name: str) -> Enlarge:
        def enlarge(rgb: np.ndarray, scale: float) -> np.ndarray:
            size = tuple(round(n * scale) for n in reversed(rgb.shape[:2]))
            return np.asarray(Image.fromarray(rgb).resize(size, RESAMPLED[name]))

        return enlarge

    def ours(pipe: InpaintPipeline) -> Enlarge:
        return lambda rgb, scale: np.asarray(pipe.view(rgb, window=Window.whole(rgb.shape[:2], scale)))

    methods = {name: plain(name) for name in RESAMPLED}
    for model in models:
        if model in methods:
            raise ConfigError(f"{model} is named twice. Leave one of them out.")
        methods[model] = ours(InpaintPipeline.from_pretrained(model, device=device))
    return methods


def _show(tables: dict[float, Figures], photos: int) -> bool:
    """Prints the table; returns whether every bar that there is was met, by the first model."""
    rows = [("scale", "method", "PSNR-Y", "PSNR", "SSIM", "over the better", "bar")]
    met = True
    for scale, figures in tables.items():
        best = max(figures[name]["psnr_y"] for name in RESAMPLED)
        for place, (name, one) in enumerate(figures.items()):
            gain, bar = one["psnr_y"] - best, BARS_DB.get(scale)
            verdict = ""
            if place == len(RESAMPLED) and bar is not None:
                met &= gain >= bar
                verdict = f"{bar:+.1f} dB {'met' if gain >= bar else 'missed'}"
            rows.append(
                (
                    f"x{scale:g}" if place == 0 else "",
                    name,
                    f"{one['psnr_y']:.2f}",
                    f"{one['psnr']:.2f}",
                    f"{one['ssim']:.4f}",
                    "" if name in RESAMPLED else f"{gain:+.2f} dB",
                    verdict,
                )
            )
    print(report.align(rows))
    print(f"{photos} photos; PSNR in dB")
    return met


if __name__ == "__main__":
    sys.exit(main())
