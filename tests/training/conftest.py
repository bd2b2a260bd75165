import numpy as np
import pytest
import torch
from PIL import Image

from sair_core.training import loop
from sair_core.training.backend import Backend
from sair_core.training.config import TrainConfig
from tests.elsewhere import ELSEWHERE, device_elsewhere
from tests.training.states import load_state


@pytest.fixture
def photo_folder(tmp_path):
    """Eight photos of smooth colour, one corrupt file, one tiny one, one label map beside a photo."""
    folder = tmp_path / "photos"
    folder.mkdir()
    ys, xs = np.mgrid[:90, :120] / 120
    for i in range(8):
        photo = np.stack([ys + i / 20, xs, 0.5 * (ys + xs)], axis=-1).clip(0, 1)
        Image.fromarray((photo * 255).astype(np.uint8)).save(folder / f"p{i}.jpg", quality=95)
    (folder / "corrupt.jpg").write_bytes(b"\xff\xd8 nothing")
    Image.new("RGB", (5, 5)).save(folder / "tiny.png")
    Image.new("L", (120, 90)).save(folder / "p0.png")
    return folder


@pytest.fixture
def tiny_run(photo_folder, tmp_path):
    """A run of seconds: fields can be changed by keyword."""

    def make(**changes):
        fields = dict(
            data=(str(photo_folder),), output=str(tmp_path / "run"), preset="lite", device="cpu", bf16=False,
            size_px=32, final_size_px=48, final_share=0.25, batch=2, queries=64, steps=4, warmup_steps=2,
            workers=0, validate_every=2, save_every=2, val_share=0.3, scale_share=0.5, scale_max=2.0,
        )  # fmt: skip
        return TrainConfig(**{**fields, **changes})

    return make


@pytest.fixture
def interrupt(monkeypatch):
    """`interrupt(run)`: call `run`, which is interrupted just after its state at step 2 was saved."""

    def call(run):
        real = loop.save_run

        def save_then_stop(folder, *rest):
            real(folder, *rest)
            if rest[-1].step == 2:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(loop, "save_run", save_then_stop)
            run()

    return call


@pytest.fixture
def train_in_parts(interrupt, tmp_path):
    """`train_in_parts(make)`: a run of four steps that was resumed ends as one that was not interrupted.

    make: a configuration by keyword, with further ones for the whole run. Returns the states of the whole
    run and of the one in parts.
    """

    def call(make, **of_the_whole):
        loop.train(make(output=str(tmp_path / "whole"), **of_the_whole), show_progress=False)
        config = make(output=str(tmp_path / "parts"))
        interrupt(lambda: loop.train(config, show_progress=False))
        loop.train(config, resume="latest", show_progress=False)
        whole, parts = (load_state(tmp_path / run) for run in ("whole", "parts"))
        assert parts["progress"]["step"] == whole["progress"]["step"] == 4
        assert all(torch.equal(v, parts["average"][k]) for k, v in whole["average"].items())
        return whole, parts

    return call


@pytest.fixture
def elsewhere(monkeypatch):
    """Every backend computes elsewhere. States are not written: no file holds such tensors."""
    begin = Backend.__init__

    def begin_elsewhere(self, *arguments):
        begin(self, *arguments)
        self.device = ELSEWHERE
        self._accelerator.device_placement = False  # accelerate would bring the module back

    monkeypatch.setattr(Backend, "__init__", begin_elsewhere)
    for kind in (torch.optim.Adam, torch.optim.AdamW):
        monkeypatch.setattr(torch.optim, kind.__name__, unfused(kind))
    monkeypatch.setattr(loop, "save_run", lambda *_: None)
    monkeypatch.setattr(loop, "load_run", lambda *_: None)
    with device_elsewhere():
        yield


def unfused(kind):
    """The optimiser without the kernel that only real devices have."""
    return lambda *arguments, **options: kind(*arguments, **{**options, "fused": False})
