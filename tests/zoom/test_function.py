import numpy as np
import pytest
import torch

from sair_core.errors import CancelledError, ConfigError
from sair_core.models.detail import DetailConfig
from sair_core.models.sair import Part, Sair, SairConfig
from sair_core.photos.photo import load_photo
from sair_core.pipeline import InpaintPipeline
from sair_core.window import Window, resample
from sair_core.zoom.cache import FeatureCache
from sair_core.zoom.function import PhotoFunction
from sair_core.zoom.tiles import OVERLAP_PX
from tests.conftest import disc

UNET = {"widths": [8, 8, 8, 8], "blocks": [1, 1, 1], "context_blocks": 1, "heads": 2, "out_channels": 8}
FORMS = {
    "liif": SairConfig(Part("unet", UNET), Part("liif", {"hidden": 8}), "none", initial_fill="pull_push"),
    "liif and long skip": SairConfig(Part("unet", UNET), Part("liif", {"hidden": 8}), "none", long_skip=True),
    "lte": SairConfig(Part("unet", UNET), Part("lte", {"hidden": 8}), "none", long_skip=True),
    "detail": SairConfig(Part("unet", UNET), Part("liif", {"hidden": 8}), "none", detail=DetailConfig()),
    "edsr": SairConfig(Part("edsr", {"out_channels": 8, "blocks": 1}), Part("liif", {"hidden": 8}), "none"),
}


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(params=list(FORMS))
def exact_pipe(request):
    torch.manual_seed(0)
    model = Sair(FORMS[request.param])
    if model.detail is not None:
        torch.nn.init.normal_(model.detail.decoder.last.weight)  # untrained it adds nothing
    return InpaintPipeline(model, device="cpu", bf16=False, texture=False)


def function_of(pipe, rgb, cache=None) -> PhotoFunction:
    options = {"device": pipe.device, "bf16": pipe.bf16, "key": b"a pipeline"}
    return PhotoFunction(pipe.sair, load_photo(rgb), cache or FeatureCache(), **options)


@pytest.mark.parametrize("size", [(48, 64), (37, 51), (1, 1), (1, 700), (1100, 3)])
def test_at_the_pixels_centres_the_function_is_the_photo(exact_pipe, size):
    rgb = noise(*size)
    found = function_of(exact_pipe, rgb).colours(Window.whole(size, 1.0))
    np.testing.assert_allclose(found.numpy(), rgb / 255, atol=1e-3)  # kept in half precision
    assert np.array_equal(np.asarray(exact_pipe.view(rgb, size_px=size)), rgb)


def test_between_the_pixels_it_is_not_just_bicubic(tiny_pipe, bird):
    window = Window.around((384, 384), (0, 0), 3.0, (96, 96))
    view = np.asarray(tiny_pipe.view(bird, window=window)).astype(int)
    plain = resample(np.asarray(bird), window, "bicubic").astype(int)
    assert view.shape == (96, 96, 3) and 0 < np.abs(view - plain).mean() < 40


@pytest.mark.parametrize("scale", [1.7, 6.0, 64.0])
def test_a_viewport_is_the_crop_of_the_whole(exact_pipe, scale):
    rgb = noise(700, 20)  # two tiles
    function = function_of(exact_pipe, rgb)
    seam = function.rows[1].low
    tall = Window.box(seam - 3, 0, OVERLAP_PX + 6, 6, scale)
    whole = function.colours(tall)
    part = tall.part(slice(5, 19), slice(2, 9))
    torch.testing.assert_close(function.colours(part), whole[5:19, 2:9], atol=1e-4, rtol=0)


def test_there_is_no_step_where_tiles_meet(exact_pipe):
    ramp = np.linspace(0, 255, 700)[:, None, None] * np.ones((1, 24, 3))
    function = function_of(exact_pipe, ramp.astype(np.uint8))
    span = function.rows[1]
    for edge in (span.low, span.low + OVERLAP_PX):
        near = function.colours(Window.box(edge - 0.5, 4, 1, 4, 64.0))
        middle = len(near) // 2
        steps = (near[1:] - near[:-1]).abs().amax(dim=(1, 2))
        assert steps[middle - 1] <= 2 * steps.max().item() and steps[middle - 1] < 0.02


def test_a_hole_is_filled_first_and_then_seen(tiny_pipe, bird):
    hole = disc((384, 384), (192, 192), 30)
    filled = np.asarray(tiny_pipe.fill(bird, hole).image)
    seen = np.asarray(tiny_pipe.view(bird, hole, size_px=(384, 384)))
    assert np.array_equal(seen, filled)
    near = tiny_pipe.view(bird, hole, scale=5.0, size_px=(50, 50))
    of_result = tiny_pipe.view(filled, scale=5.0, size_px=(50, 50))
    assert np.array_equal(near, of_result)
    assert not np.array_equal(near, tiny_pipe.view(bird, scale=5.0, size_px=(50, 50)))


def test_a_hole_is_filled_once_for_all_views_whoever_opens_the_photo(tiny_pipe, bird, monkeypatch):
    hole, fills = disc((384, 384), (100, 192), 30), []
    real = tiny_pipe.fill
    monkeypatch.setattr(tiny_pipe, "fill", lambda *a, **k: fills.append(a) or real(*a, **k))
    first = tiny_pipe.view(bird, hole, scale=2.0, size_px=(50, 50))
    again = tiny_pipe.view(np.asarray(bird).copy(), hole.copy(), scale=2.0, size_px=(50, 50))
    assert np.array_equal(first, again) and len(fills) == 1
    tiny_pipe.view(bird, disc((384, 384), (100, 192), 29), scale=2.0, size_px=(50, 50))
    assert len(fills) == 2


def test_a_filled_photo_is_seen_at_any_size_that_could_be_opened(tiny_pipe, bird, monkeypatch):
    photo, hole = load_photo(bird), disc((384, 384), (192, 192), 10)
    strict = lambda source, max_megapixels=0.1: load_photo(source, max_megapixels=max_megapixels)  # noqa: E731
    monkeypatch.setattr("sair_core.photos.photo.load_photo", strict)
    assert tiny_pipe.view(photo, hole, scale=2.0, size_px=(40, 40)).size == (40, 40)


def test_below_scale_one_the_photo_is_averaged(tiny_pipe, bird):
    window = Window.whole((384, 384), 0.25)
    found = np.asarray(tiny_pipe.view(bird, window=window))
    assert np.array_equal(found, resample(np.asarray(bird), window, "bicubic"))


def test_outside_the_photo_it_is_black(tiny_pipe, bird):
    found = np.asarray(tiny_pipe.view(bird, centre_yx=(-1, -1), scale=2.0, size_px=(60, 80)))
    assert found.shape == (60, 80, 3)
    assert not found[:30].any() and not found[:, :40].any() and found[30:, 40:].any()


def test_a_wrong_scale_is_refused(tiny_pipe, bird):
    with pytest.raises(ConfigError):
        tiny_pipe.view(bird, scale=100.0)


def test_rendering_reports_and_stops(tiny_pipe, bird):
    shares = []
    tiny_pipe.view(bird, scale=3.0, size_px=(1152, 1152), progress=lambda share, text: shares.append(share))
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) == 4
    answers = iter([False, True])
    with pytest.raises(CancelledError):
        tiny_pipe.view(bird, scale=3.0, size_px=(1152, 1152), cancelled=lambda: next(answers))
