"""Digests of what the project computes, to hold two versions against each other on one machine.

python benchmarks/fingerprint.py                       # a line for each result
python benchmarks/fingerprint.py --root OTHER_CHECKOUT # the same of another version

Uses only what every version offers: `InpaintPipeline` and `python -m sair_core.training`. Equal lines mean
results that are equal to the bit. One thread and float32, so that nothing depends on the order of sums.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout to look at (default: this one)")
    args = parser.parse_args()
    root = args.root.resolve()
    os.chdir(root)
    sys.path.insert(0, str(root))

    import torch

    torch.set_num_threads(1)
    for name, result in RESULTS.items():
        print(f"{result(root)}  {name}", flush=True)
    return 0


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def _photo_and_mask(root: Path):
    import numpy as np
    from PIL import Image

    photo = Image.open(root / "tests" / "fixtures" / "house.jpg").convert("RGB")
    mask = np.zeros((photo.height, photo.width), bool)
    mask[photo.height // 3 : photo.height // 2, photo.width // 4 : photo.width // 2] = True
    mask[: photo.height // 8, -photo.width // 8 :] = True
    return photo, mask


def _pipeline(name: str):
    from sair_core import InpaintPipeline

    # The model alone: versions before texture had no such option.
    plain = {"texture": False} if "texture" in inspect.signature(InpaintPipeline).parameters else {}
    return InpaintPipeline.from_pretrained(name, device="cpu", bf16=False, **plain)


def _fill(root: Path) -> str:
    return _digest(_pipeline("sair-lite").fill(*_photo_and_mask(root)).image.tobytes())


def _words(root: Path) -> str:
    return _digest(_pipeline("sair-lite").fill(*_photo_and_mask(root), words="grass").image.tobytes())


def _spn(root: Path) -> str:
    return _digest(_pipeline("spn-lite").fill(*_photo_and_mask(root), seed=3).image.tobytes())


def _view(root: Path) -> str:
    photo, mask = _photo_and_mask(root)
    return _digest(_pipeline("sair-lite").view(photo, mask, scale=3.3, size_px=(240, 320)).tobytes())


def _semantics(root: Path) -> str:
    photo, mask = _photo_and_mask(root)
    found = _pipeline("sair-lite").semantics(photo, "sky, building, tree, everything else", mask)
    return _digest(found.ids.tobytes() + found.confidence.tobytes())


def _training(*options: str) -> Callable[[Path], str]:
    def train(root: Path) -> str:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            command = [
                sys.executable, "-m", "sair_core.training", "--data", str(root / "assets" / "examples"),
                "--val", str(root / "tests" / "fixtures"), "--output", str(run), "--steps", str(STEPS),
                "--batch", "2", "--size-px", "64", "--final-size-px", "64", "--workers", "0", "--no-bf16",
                "--device", "cpu", "--seed", "7", *options,
            ]  # fmt: skip
            env = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
            if done.returncode:
                return f"failed: {done.stderr.strip().splitlines()[-1]}"
            return _digest((run / "model" / "model.safetensors").read_bytes())

    return train


RESULTS: dict[str, Callable[[Path], str]] = {
    "fill, sair-lite": _fill,
    "fill with words, sair-lite": _words,
    "fill, spn-lite, seed 3": _spn,
    "view of the filled photo at 3.3": _view,
    "semantic map under the mask": _semantics,
    f"training, sair, {STEPS} steps": _training("--preset", "lite"),
    f"training, spn, {STEPS} steps": _training("--model", "spn", "--preset", "tiny"),
}

if __name__ == "__main__":
    sys.exit(main())
