"""Whether a device computes what the processor does: `python benchmarks/gpu_smoke.py --device cuda`.

For a person with a GPU, once: fills, a painted fill, a view, an export and a map on the device beside the
same on the processor, both in float32, then twenty steps of training there. Without the device it says so and
ends.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run from anywhere, installed or not

from benchmarks.machine import square_mask, synthetic_photo  # noqa: E402
from sair_core import InpaintPipeline, SairError  # noqa: E402
from sair_core.devices import pick_device  # noqa: E402
from sair_core.evaluation.report import align, machine_facts  # noqa: E402
from sair_core.photos.photo import load_photo  # noqa: E402
from sair_core.weights.bundled import BUNDLED_SAIR, BUNDLED_SPN  # noqa: E402
from sair_core.zoom.cache import FeatureCache  # noqa: E402

SIDE_PX = 256
# Mean and 99.9th percentile of the difference, of 255: a GPU adds in another order, and rounds to TF32.
MEAN_BAR, MOST_BAR = 0.5, 8.0
LABELS = ["sky", "grass", "wall"]
STEPS = 20
Work = Callable[[InpaintPipeline, Path], np.ndarray]


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the report; exit status 1 if a bar is missed or the training fails, 2 without the device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or mps (default: %(default)s)")
    args = parser.parse_args(argv)
    try:
        pick_device(args.device)
    except SairError as error:
        print(error, file=sys.stderr)
        return 2
    table = [("what", "seconds there", "mean", "99.9 %", "")]
    sound = True
    with tempfile.TemporaryDirectory() as folder:
        for name, seconds, difference in compare(args.device, Path(folder)):
            mean, most = float(difference.mean()), float(np.quantile(difference, 0.999))
            passed = mean <= MEAN_BAR and most <= MOST_BAR
            sound &= passed
            table.append((name, f"{seconds:.2f}", f"{mean:.3f}", f"{most:.1f}", "pass" if passed else "miss"))
        seconds, trained = train(args.device, Path(folder))
    table.append((f"{STEPS} steps of training", f"{seconds:.1f}", "", "", "pass" if trained else "miss"))
    print(align(table, left_columns=1))
    print(f"differences of 255; bars: mean {MEAN_BAR:g}, 99.9 % {MOST_BAR:g}; device: {args.device}")
    print("; ".join(f"{name}: {value}" for name, value in machine_facts().items()))
    return int(not (sound and trained))


def compare(device: str, folder: Path) -> Iterator[tuple[str, float, np.ndarray]]:
    """Yield for each kind of work its name, its seconds on the device when warm, and the differences."""
    for name, (model, work) in WORK.items():
        there, here = (
            InpaintPipeline.from_pretrained(model, device=one, bf16=False, texture=False)
            for one in (device, "cpu")
        )
        work(there, folder)
        began = time.perf_counter()
        result = work(there, folder)
        seconds = time.perf_counter() - began
        yield name, seconds, np.abs(result.astype(np.float32) - work(here, folder))


def _fill(pipe: InpaintPipeline, folder: Path) -> np.ndarray:
    return pipe.fill(_photo(), _mask(), seed=0).photo.rgb[_mask()]  # the known pixels are the photo's anyway


def _view(pipe: InpaintPipeline, folder: Path) -> np.ndarray:
    view = pipe.view(_photo(), scale=3.0, size_px=(SIDE_PX, SIDE_PX), cache=FeatureCache())
    return np.asarray(view)


def _export(pipe: InpaintPipeline, folder: Path) -> np.ndarray:
    pipe.export(_photo(), folder / "out.png", scale=2, cache=FeatureCache())
    return load_photo(folder / "out.png").rgb


def _map(pipe: InpaintPipeline, folder: Path) -> np.ndarray:
    return 255 * pipe.semantics(_photo(), LABELS).confidence


def _photo() -> np.ndarray:
    return np.asarray(synthetic_photo(SIDE_PX, SIDE_PX))


def _mask() -> np.ndarray:
    return square_mask(SIDE_PX, SIDE_PX, SIDE_PX // 3)


WORK: dict[str, tuple[str, Work]] = {
    "fill": (BUNDLED_SAIR, _fill),
    "painted fill": (BUNDLED_SPN, _fill),
    "view": (BUNDLED_SAIR, _view),
    "export": (BUNDLED_SAIR, _export),
    "map (confidence)": (BUNDLED_SAIR, _map),
}


def train(device: str, folder: Path) -> tuple[float, bool]:
    """Train for some steps on photos of our own; seconds with the start, and whether a model was saved."""
    for index in range(8):
        (folder / "photos").mkdir(exist_ok=True)
        synthetic_photo(160, 160 + index).save(folder / "photos" / f"{index}.png")
    options = ["--data", str(folder / "photos"), "--output", str(folder / "run"), "--preset", "tiny"]
    options += ["--steps", str(STEPS), "--device", device]
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "sair_core.training", *options], cwd=ROOT)
    seconds = time.perf_counter() - began
    return seconds, done.returncode == 0 and any((folder / "run").rglob("model.safetensors"))


if __name__ == "__main__":
    sys.exit(main())
