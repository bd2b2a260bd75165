"""Training, one loop from top to bottom."""

from __future__ import annotations

import json
import logging
import math
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from sair_core.checkpoint import replacing
from sair_core.config import to_dict
from sair_core.devices import autocast, has_bf16, keep_freed_memory, pick_device
from sair_core.errors import CheckpointError, ConfigError
from sair_core.models.presets import preset
from sair_core.models.sair import Sair
from sair_core.training.config import TrainConfig
from sair_core.training.data import FillSamples, batches, find_photos, load_photos, split
from sair_core.training.state import STATE_NAME, Average, Progress, load_run, parameter_groups, save_run
from sair_core.training.validation import Validation, save_picture

logger = logging.getLogger(__name__)

LOG_EVERY = 50  # steps between rows of the loss in the log


def train(config: TrainConfig, *, resume: bool = False, show_progress: bool = True) -> Path:
    """Train a SAIR; returns the folder of the trained model, `OUTPUT/model`.

    The run folder holds `train.json` (the effective configuration), `state.pt` (to resume), `log.csv`,
    `validation/STEP.png` and `model/` (averaged weights, loadable by the pipeline at any time). Ctrl+C and
    SIGTERM end the run after the present step, with its state saved.

    Raises DataError for folders without photos, ConfigError when OUTPUT already holds a run and `resume` is
    not set, CheckpointError when there is nothing to resume or the loss stopped being a number.
    """
    keep_freed_memory()
    folder = Path(config.output)
    if not resume and (folder / STATE_NAME).exists():
        raise ConfigError(
            f"{folder} already holds a run. Continue it with --resume or name another --output."
        )
    device = pick_device(config.device)
    photos, validation = _photos(config)
    model, average, optimiser = _model(config, device)
    progress = load_run(folder, model, average, optimiser) if resume else Progress()
    _write_configuration(folder, config, model)
    bar = tqdm(
        total=1.0,
        initial=min(1.0, _share_done(config, progress)),  # so that a resumed run's ETA is right
        disable=not show_progress,
        bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}",
    )

    def validate() -> None:
        with average.swapped_into(model):
            figures, picture = validation(model, device, config.bf16)
        save_picture(picture, folder / "validation" / f"{progress.step:06d}.png")
        progress.note(**figures)
        bar.write(f"step {progress.step}: " + ", ".join(f"{k} {v:.2f} dB" for k, v in figures.items()))

    phase, loader, smooth_loss = None, iter(()), None
    with bar, _StopSignals() as stop:
        if progress.step == 0:
            validate()
        while (share := _share_done(config, progress)) < 1 and not stop.asked:
            if config.phase(share) != phase:
                phase = config.phase(share)
                loader = _loader(config, phase, photos, progress.samples)
            started = time.perf_counter()
            batch = {k: v.to(device, non_blocking=True) for k, v in next(loader).items()}
            for group in optimiser.param_groups:
                group["lr"] = config.rate(progress.step, share)
            loss = _step(config, model, optimiser, batch, device)
            if not math.isfinite(loss):
                raise CheckpointError(
                    f"The loss is not a number at step {progress.step}; {folder} keeps the last good state. "
                    "Resume with a lower --learning-rate."
                )
            average.update(model, progress.step)
            progress.step += 1
            progress.samples += len(batch["rgb01"])
            progress.seconds += time.perf_counter() - started
            smooth_loss = loss if smooth_loss is None else 0.99 * smooth_loss + 0.01 * loss
            if progress.step % LOG_EVERY == 0:
                progress.note(loss=smooth_loss)
            bar.set_postfix_str(f" step {progress.step}, loss {smooth_loss:.4f}", refresh=False)
            bar.update(min(1.0, _share_done(config, progress)) - bar.n)
            if progress.step % config.validate_every == 0:
                validate()
            if progress.step % config.save_every == 0:
                save_run(folder, model, average, optimiser, progress)
        if stop.asked:
            logger.warning("stopped at step %d; continue with --resume", progress.step)
        else:
            validate()
        save_run(folder, model, average, optimiser, progress)
    return folder / "model"


def _step(
    config: TrainConfig,
    model: Sair,
    optimiser: torch.optim.Optimizer,
    batch: dict[str, Tensor],
    device: torch.device,
) -> float:
    """One optimiser step; returns the loss. Weights stay as they are when it is not finite."""
    with autocast(device, config.bf16):
        rgb = model(batch["rgb01"], batch["hole01"], batch["coords_yx"], batch["cell"])
    loss = (rgb - batch["target01"]).abs().mean()  # L1; the hole's weight is its share of the queries
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    value = loss.item()
    if math.isfinite(value):
        optimiser.step()
    return value


def _photos(config: TrainConfig) -> tuple[list[np.ndarray], Validation]:
    photos = load_photos(find_photos(config.data))
    if config.val:
        held = load_photos(find_photos(config.val))
    else:
        photos, held = split(photos, config.val_share, config.seed)
    validation = Validation(held, config.final_size_px, config.seed)
    logger.info("%d photos to train on, %d to validate with", len(photos), len(validation.photos))
    return photos, validation


def _model(config: TrainConfig, device: torch.device) -> tuple[Sair, Average, torch.optim.Optimizer]:
    torch.manual_seed(config.seed)
    changes = {"semantics": config.semantics} if config.semantics else {}
    model = Sair(preset(config.preset, **changes)).to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(
        parameter_groups(model, config.weight_decay),
        lr=config.learning_rate,
        betas=config.betas,
        fused=device.type != "mps",
    )
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    precision = "bfloat16" if config.bf16 and has_bf16(device) else "float32"
    logger.info("%.1f M parameters on %s, %s", count / 1e6, device, precision)
    return model, Average(model, config.ema), optimiser


def _write_configuration(folder: Path, config: TrainConfig, model: Sair) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"train": to_dict(config), "model": to_dict(model.config)}, indent=2)
    with replacing(folder / "train.json") as path:
        path.write_text(text + "\n", encoding="utf-8")


def _share_done(config: TrainConfig, progress: Progress) -> float:
    if config.minutes is not None:
        return progress.seconds / (60 * config.minutes)
    return progress.step / config.steps


def _loader(
    config: TrainConfig, phase: int, photos: list[np.ndarray], start: int
) -> Iterator[dict[str, Tensor]]:
    size_px, batch, queries = config.shape(phase)
    samples = FillSamples(
        photos,
        size_px=size_px,
        queries=queries,
        hole_share=config.hole_share,
        scale_share=config.scale_share,
        scale_max=config.scale_max,
        seed=config.seed,
    )
    return batches(samples, batch, start, config.workers)


class _StopSignals:
    """Ctrl+C and SIGTERM ask the loop to stop after the present step; a second one interrupts at once."""

    asked = False

    def __enter__(self) -> _StopSignals:
        self.kept = {}
        if threading.current_thread() is threading.main_thread():  # elsewhere Python sets no handlers
            self.kept = {kind: signal.signal(kind, self._ask) for kind in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for kind, handler in self.kept.items():
            signal.signal(kind, handler)

    def _ask(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
