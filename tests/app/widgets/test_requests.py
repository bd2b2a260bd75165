import pytest

from app.widgets import pictures
from app.widgets.protocol import Request
from app.widgets.requests import read_mask
from sair_core.errors import MaskError

BOX = (40, 30, 50, 40)


def test_a_mask_painted_on_a_reduced_view_fits_the_photo(monkeypatch, painted_file):
    monkeypatch.setattr(pictures, "MAX_DISPLAY_PIXELS", 90 * 120)
    mask = read_mask(Request(mask=painted_file, box=BOX), (270, 360))
    assert mask.shape == (270, 360) and mask[121:179, 151:239].all() and mask.sum() == 9 * 20 * 30


def test_a_painted_mask_that_lies_outside_is_refused(painted_file):
    for box in ((90, 30, 50, 40), (-1, 0, 50, 40), (40, 30, 49, 40)):
        with pytest.raises(MaskError):
            read_mask(Request(mask=painted_file, box=box), (90, 120))


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_a_painted_mask_that_is_no_picture_is_refused_in_plain_words(tmp_path, data):
    path = tmp_path / "mask.png"
    path.write_bytes(data)
    with pytest.raises(MaskError, match="Reload the page"):
        read_mask(Request(mask=path, box=BOX), (90, 120))
