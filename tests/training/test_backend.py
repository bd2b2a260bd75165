import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from sair_core.training.backend import Backend
from sair_core.training.state import PREVIOUS, STATE_NAME

ROOT = Path(__file__).resolve().parents[2]


class Square(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 1)

    def forward(self, batch, factor):
        return factor * self.layer(batch["x"]).square().mean()


def take_step(accumulate, x, factor=1.0):
    backend = Backend("cpu", bf16=False, accumulate=accumulate)
    loss = backend.prepare(Square())
    optimiser = torch.optim.SGD(loss.parameters(), lr=0.1)
    value = backend.optimise(loss, optimiser, {"x": x}, factor, clip_norm=100.0)
    return value, [p.detach().clone() for p in loss.parameters()]


@pytest.mark.parametrize("accumulate", [2, 3, 5, 9])
def test_parts_of_a_batch_have_the_gradient_of_the_whole(accumulate):
    x = torch.randn(7, 3)
    whole, parts = take_step(1, x), take_step(accumulate, x)
    assert whole[0] == pytest.approx(parts[0], rel=1e-5)
    torch.testing.assert_close(whole[1], parts[1])


@pytest.mark.parametrize("x", [torch.full((4, 3), torch.nan), torch.full((4, 3), 3e19)])
def test_no_step_is_taken_when_loss_or_gradient_is_not_finite(x):
    value, weights = take_step(1, x)
    assert value != value
    torch.testing.assert_close(weights, [p.detach() for p in Square().parameters()])


def test_the_gradient_is_clipped_and_one_process_is_the_main_one():
    backend = Backend("cpu", bf16=False)
    assert backend.is_main and backend.share == (0, 1) and backend.mean(3) == 3 and not backend.any(False)
    loss = backend.prepare(Square())
    before = [p.detach().clone() for p in loss.parameters()]
    optimiser = torch.optim.SGD(loss.parameters(), lr=1.0)
    backend.optimise(loss, optimiser, {"x": torch.randn(4, 3)}, 1e3, clip_norm=0.5)
    moved = sum((p.detach() - b).square().sum() for p, b in zip(loss.parameters(), before)).sqrt()
    assert moved == pytest.approx(0.5, rel=1e-3)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run_processes(photo_folder, output, batch, processes):
    command = [sys.executable, "-m", "sair_core.training", "--data", str(photo_folder), "--preset", "tiny",
               "--output", str(output), "--size-px", "32", "--final-size-px", "32", "--batch", str(batch),
               "--queries", "32", "--steps", "6", "--workers", "0", "--device", "cpu", "--no-bf16",
               "--learning-rate", "1e-3", "--validate-every", "3", "--save-every", "3"]  # fmt: skip
    port = str(free_port())
    running = []
    for rank in range(processes):
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        if processes > 1:
            env |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes),
                    "LOCAL_WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": port}  # fmt: skip
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        running.append(subprocess.Popen(command, cwd=ROOT, env=env, **pipes))
    outputs = [process.communicate(timeout=300) for process in running]
    assert all(p.returncode == 0 for p in running), outputs
    return torch.load(output / STATE_NAME, weights_only=True), outputs


def test_two_processes_learn_what_one_does_with_twice_the_batch(photo_folder, tmp_path):
    """Started as torchrun and `accelerate launch` do it: by environment variables."""
    (two, outputs) = run_processes(photo_folder, tmp_path / "two", 2, processes=2)
    (one, _) = run_processes(photo_folder, tmp_path / "one", 4, processes=1)
    assert one["progress"]["samples"] == two["progress"]["samples"] == 24
    losses = [[row["loss"] for row in s["progress"]["log"] if "loss" in row] for s in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for key, value in one["average"].items():
        torch.testing.assert_close(two["average"][key], value, rtol=1e-3, atol=1e-5)
    assert "photos a second" in outputs[0][1] and "photos a second" not in outputs[1][1]  # the main one tells
    run = tmp_path / "two"
    left = {p.name for p in run.iterdir()}
    assert {"state.pt", f"{PREVIOUS}-state.pt", "model", "best", "curves.png", "log.csv"} <= left
    assert not {".photos.bin", ".photos.npz"} & left  # what was shared is cleaned up
