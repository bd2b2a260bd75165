import numpy as np
import pytest
from PIL import Image

from sair_core.errors import PointError
from sair_core.photos.masks import grow
from sair_core.photos.photo import load_photo
from tests.conftest import disc

CENTRE, OTHER, GROUND = (100, 90), (230, 90), (20, 20)


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    return disc((180, 320), (90, 100), 40)


@pytest.fixture(scope="module")
def photo(mask) -> np.ndarray:
    """Two red discs on a ground of grainy green."""
    rgb = np.random.default_rng(0).integers(-12, 12, (180, 320, 3)) + (70, 130, 60)
    rgb[mask | disc((180, 320), (90, 230), 30)] += (120, -90, -30)
    return rgb.clip(0, 255).astype(np.uint8)


def iou(found: np.ndarray, true: np.ndarray) -> float:
    return (found & true).sum() / (found | true).sum()


def test_a_click_selects_the_object_under_it(tiny_pipe, photo, mask):
    found = tiny_pipe.mask_from_points(photo, [CENTRE])
    assert found.shape == mask.shape and found.dtype == bool
    assert iou(found, mask) > 0.9
    assert np.array_equal(found, tiny_pipe.mask_from_points(photo, np.array([CENTRE]), [True]))


def test_a_second_click_adds_another_and_an_outside_one_removes(tiny_pipe, photo, mask):
    both = tiny_pipe.mask_from_points(photo, [CENTRE, OTHER])
    assert both[CENTRE[::-1]] and both[OTHER[::-1]] and not both[GROUND[::-1]]
    left = tiny_pipe.mask_from_points(photo, [CENTRE, OTHER], [True, False])
    assert left[CENTRE[::-1]] and not left[OTHER[::-1]]


def test_the_selection_grows(tiny_pipe, photo):
    found = tiny_pipe.mask_from_points(photo, [CENTRE])
    assert np.array_equal(tiny_pipe.mask_from_points(photo, [CENTRE], grow_px=3), grow(found, 3))
    with pytest.raises(PointError, match="0 px or more"):
        tiny_pipe.mask_from_points(photo, [CENTRE], grow_px=-1)


def test_every_kind_of_photo(tiny_pipe, photo, mask, tmp_path):
    image = Image.fromarray(photo)
    image.putalpha(200)
    image.save(tmp_path / "alpha.png")
    image.convert("L").save(tmp_path / "grey.png")
    deep = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    deep.save(tmp_path / "deep.png")
    for name in ("alpha", "grey", "deep"):
        path = tmp_path / f"{name}.png"
        found = tiny_pipe.mask_from_points(path, [CENTRE])
        assert found.shape == load_photo(path).size_px
        assert found[CENTRE[::-1]] and not found[GROUND[::-1]], name


@pytest.mark.parametrize("size_px", [(1, 1), (1, 40), (3, 2)])
def test_the_smallest_photos(tiny_pipe, size_px):
    rgb = np.full((*size_px, 3), 90, np.uint8)
    found = tiny_pipe.mask_from_points(rgb, [(0, 0)])
    assert found.shape == size_px and found[0, 0]


def test_points_outside_the_photo(tiny_pipe, photo):
    with pytest.raises(PointError, match="outside the photo"):
        tiny_pipe.mask_from_points(photo, [(320, 10)])


def test_a_photo_is_read_once_until_the_pipeline_is_closed(tiny_pipe, photo, monkeypatch):
    read, times = tiny_pipe.reader.read, []
    monkeypatch.setattr(tiny_pipe.reader, "read", lambda *args: times.append(1) or read(*args))
    selector = tiny_pipe.selector
    selector.close()
    first = tiny_pipe.mask_from_points(photo, [CENTRE])
    tiny_pipe.mask_from_points(photo.copy(), [OTHER])
    assert len(times) == 1
    tiny_pipe.mask_from_points(np.ascontiguousarray(photo[:, ::-1]), [OTHER])
    assert len(times) == 2
    selector.close()
    assert np.array_equal(tiny_pipe.mask_from_points(photo, [CENTRE]), first)
    assert len(times) == 3


def test_what_was_prepared_is_not_read_again(tiny_pipe, photo, monkeypatch):
    tiny_pipe.close()
    tiny_pipe.prepare(photo)
    monkeypatch.setattr(tiny_pipe.reader, "_read", lambda *args: pytest.fail("read again"))
    assert tiny_pipe.mask_from_points(photo, [CENTRE]).any()
    assert tiny_pipe.semantics(photo, "sky, grass").ids.shape == photo.shape[:2]
