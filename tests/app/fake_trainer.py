"""Writes what the trainer writes, at once: `python -m tests.app.fake_trainer`, with the trainer's options.

The name of the photo folder says what goes wrong: "unusable" has no photos, "killed" ends without a word
after two steps, "late" never says anything, "broken" stops at step 3 with a report.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from PIL import Image

from sair_core.files import replacing

STEPS = 20
VALIDATE_EVERY = 5


class Trainer:
    def __init__(self, args: argparse.Namespace, run: Path):
        self.args = args
        self.run = run
        self.asked = False
        self.rows: list[dict[str, float]] = []
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "asked", True))

    def report(self, state: str, step: int = 0, message: str = "") -> None:
        steps = self.args.steps
        running = state == "running"
        content = {
            "state": state, "step": step, "share": step / steps, "seconds": step * self.args.pace,
            "eta_seconds": (steps - step) * self.args.pace if running else None,
            "loss": 1 / (1 + step) if step else None, "message": message, "pid": os.getpid(),
        }  # fmt: skip
        with replacing(self.run / "progress.json") as path:
            path.write_text(json.dumps(content))

    def save(self, step: int) -> None:
        (self.run / "state.pt").write_text(json.dumps([step, self.args.steps]))
        with replacing(self.run / "log.csv") as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["step", "seconds", "psnr", "psnr_0_20", "loss"])
            writer.writeheader()
            writer.writerows(self.rows)
        model = self.run / "model"
        model.mkdir(exist_ok=True)
        (model / "config.json").write_text('{"model_type": "sair"}')
        (model / "model.safetensors").write_bytes(b"")

    def validate(self, step: int) -> None:
        folder = self.run / "validation"
        folder.mkdir(exist_ok=True)
        with replacing(folder / f"{step:06d}.png") as path:
            Image.new("RGB", (96, 64), (step * 10 % 256, 120, 90)).save(path, "PNG")
        self.rows.append({"step": step, "seconds": 0.0, "psnr": 20 + step / 10, "psnr_0_20": 25.0})

    def train(self, first: int) -> str:
        trouble = Path(self.args.data[0]).name if self.args.data else ""
        if not first:
            self.validate(0)
        for step in range(first + 1, self.args.steps + 1):
            time.sleep(self.args.pace)
            self.rows.append({"step": step, "seconds": step * self.args.pace, "loss": 1 / (1 + step)})
            if step % VALIDATE_EVERY == 0:
                self.validate(step)
            self.save(step)
            self.report("running", step)
            print(f"step {step}\rstep {step} of many", flush=True)
            if trouble == "killed" and step == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            if trouble == "broken" and step == 3:
                self.report("failed", step, "The loss is not a number at step 3.")
                sys.exit(1)
            if self.asked:
                self.report("stopped", step)
                return "stopped"
        self.report("finished", self.args.steps)
        return "finished"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", nargs="+")
    parser.add_argument("--from", dest="start")
    parser.add_argument("--output", required=True)
    parser.add_argument("--resume", action="store_true")
    for name, kind in {"--steps": int, "--minutes": float, "--preset": str, "--learning-rate": float,
                       "--final-share": float, "--squared-weight": float, "--warmup-steps": int,
                       "--size-px": int, "--final-size-px": int, "--seed": int}.items():  # fmt: skip
        parser.add_argument(name, type=kind)
    parser.add_argument("--pace", type=float, default=0.01, help="seconds a step")
    args = parser.parse_args()
    trouble = Path(args.data[0]).name if args.data else ""
    if trouble == "unusable":
        print(f"error: {args.data[0]} holds no photos.", file=sys.stderr)
        sys.exit(2)
    if trouble == "late":
        threading.Event().wait()
    run = Path(args.output)
    first, steps = json.loads((run / "state.pt").read_text()) if args.resume else (0, STEPS)
    args.steps = args.steps or steps
    trainer = Trainer(args, run)
    trainer.report("scanning", message="Looking at the photos")
    if not args.resume:
        train = {"preset": args.preset or "lite", "arguments": sys.argv[1:]}
        (run / "train.json").write_text(json.dumps({"train": train}))
    print(trainer.train(first))


if __name__ == "__main__":
    main()
