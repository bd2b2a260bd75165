"""Other ways to fill and to enlarge, beside ours. Networks of others have random weights."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from benchmarks.decode import plain_decode
from sair_core import InpaintPipeline
from sair_core.coords import cell_of, grid_coords
from sair_core.decoders.liif import LiifDecoder
from sair_core.encoders.edsr import EdsrEncoder
from sair_core.errors import MissingDependencyError
from sair_core.evaluation import baselines, patchmatch
from sair_core.holes import to_hole01, to_rgb01
from sair_core.models.inpainter import Inpainter
from sair_core.weights.bundled import BUNDLED_SPN
from sair_core.zoom.cache import FeatureCache

SCALE = 4  # of the enlargements; the networks of others know no other
LIIF_CHUNK = 30_000  # queries at once, as in the published code
UNFOLD = 3  # its features are gathered over 3 x 3 cells

Fill = Callable[[np.ndarray, np.ndarray], object]  # photo uint8 (H, W, 3), hole bool (H, W)
Enlarge = Callable[[np.ndarray], object]  # photo uint8 (H, W, 3), SCALE times


def load_fills(device: str) -> dict[str, Callable[[], Fill]]:
    """Return what loads each way to fill, by the name in the table. Loading raises MissingDependencyError."""
    ours: dict[str, InpaintPipeline] = {}

    def sair() -> InpaintPipeline:
        return ours.setdefault("sair", InpaintPipeline.from_pretrained(device=device))

    def painted() -> Fill:
        return InpaintPipeline.from_pretrained(BUNDLED_SPN, device=device).fill

    return {
        "Natural": lambda: lambda photo, hole: sair().fill(photo, hole, texture=True),
        "Smooth": lambda: lambda photo, hole: sair().fill(photo, hole, texture=False),
        "Painted": painted,
        "LaMa, whole photo": lambda: fill_whole(build_lama(), device),
        "LaMa, on our crops": lambda: InpaintPipeline(build_lama(), device=device, texture=False).fill,
        "pypatchmatch": lambda: patchmatch.inpaint,
        "OpenCV Telea": lambda: baselines.telea,
    }


def load_enlargements(device: str) -> dict[str, Callable[[], Enlarge]]:
    """Return what loads each way to enlarge, by the name in the table."""
    return {
        "SAIR, a view": lambda: enlarge_by_sair(InpaintPipeline.from_pretrained(device=device)),
        "LIIF, as published": lambda: enlarge_by_liif(device),
        "Real-ESRGAN's network": lambda: enlarge_by(_spandrel().ESRGAN(), device),
        "its compact network": lambda: enlarge_by(_spandrel().Compact(), device),
        "bicubic (Pillow)": lambda: enlarge_bicubic,
    }


def build_lama() -> Inpainter:
    """Build LaMa (Suvorov et al., 2022) of the size of its published weights."""
    networks = _spandrel()
    state = networks.LaMa(in_nc=4).state_dict()
    return Inpainter(networks.ModelLoader().load_from_state_dict(state)).eval().requires_grad_(False)


def fill_whole(model: Inpainter, device: str) -> Fill:
    """Let an inpainting model see all of the photo at its own size."""
    model = model.to(device)

    @torch.inference_mode()
    def fill(photo: np.ndarray, hole: np.ndarray) -> Tensor:
        return model(to_rgb01(photo, torch.device(device)), to_hole01(hole, torch.device(device))).cpu()

    return fill


def enlarge_by_sair(pipeline: InpaintPipeline) -> Enlarge:
    """Show the whole photo through a window, with nothing known of it before."""

    def enlarge(photo: np.ndarray) -> Image.Image:
        size_px = photo.shape[0] * SCALE, photo.shape[1] * SCALE
        return pipeline.view(photo, scale=SCALE, size_px=size_px, cache=FeatureCache())

    return enlarge


def enlarge_by_liif(device: str) -> Enlarge:
    """LIIF (Chen et al., 2021) as published: EDSR-baseline, features of 3 x 3 cells, an MLP a query."""
    encoder = EdsrEncoder().to(device).eval()
    decoder = LiifDecoder(UNFOLD**2 * encoder.out_channels, 3).to(device).eval()

    @torch.inference_mode()
    def enlarge(photo: np.ndarray) -> Tensor:
        rgb01 = to_rgb01(photo, torch.device(device))
        features = encoder(rgb01, torch.zeros_like(rgb01[:, :1]))
        unfolded = F.unfold(features, UNFOLD, padding=UNFOLD // 2).unflatten(2, features.shape[-2:])
        size_px = photo.shape[0] * SCALE, photo.shape[1] * SCALE
        coords = grid_coords(size_px, device=device).flatten(0, 1)[None]
        cell = cell_of(size_px, device=device)[None]
        chunks = (plain_decode(decoder, unfolded, part, cell) for part in coords.split(LIIF_CHUNK, dim=1))
        return torch.cat(list(chunks), dim=1).cpu()

    return enlarge


def enlarge_by(network: torch.nn.Module, device: str) -> Enlarge:
    """Let a super-resolution network see all of the photo."""
    network = network.to(device).eval()

    @torch.inference_mode()
    def enlarge(photo: np.ndarray) -> Tensor:
        return network(to_rgb01(photo, torch.device(device))).cpu()

    return enlarge


def enlarge_bicubic(photo: np.ndarray) -> Image.Image:
    height, width = photo.shape[:2]
    return Image.fromarray(photo).resize((width * SCALE, height * SCALE), Image.Resampling.BICUBIC)


def _spandrel() -> SimpleNamespace:
    """Return the networks of spandrel that are measured. Raises MissingDependencyError without it."""
    try:
        from spandrel import ModelLoader
        from spandrel.architectures.Compact import Compact
        from spandrel.architectures.ESRGAN import ESRGAN
        from spandrel.architectures.LaMa import LaMa
    except ImportError as error:
        raise MissingDependencyError("spandrel is missing: pip install spandrel") from error
    return SimpleNamespace(LaMa=LaMa, ESRGAN=ESRGAN, Compact=Compact, ModelLoader=ModelLoader)
