from __future__ import annotations

import numpy as np
from PIL import Image

from app.commands import select


def test_the_mask_is_written(desk, tiny_pipe, monkeypatch, capsys):
    monkeypatch.setattr(select.SelectOptions, "load_pipeline", lambda options: tiny_pipe)
    target = desk.out / "mask.png"
    with Image.open(desk.photo) as photo:
        width, height = photo.size
    inside, outside = (width // 2, height // 2), (1, 1)
    points = ["--inside", f"{inside[0]},{inside[1]}", "--outside", "1,1"]
    assert select.main([str(desk.photo), *points, "-o", str(target), "--grow-px", "2"]) == 0
    expected = tiny_pipe.mask_from_points(desk.photo, [inside, outside], [True, False], grow_px=2)
    np.testing.assert_array_equal(np.asarray(Image.open(target)), 255 * expected.astype(np.uint8))
    assert capsys.readouterr().out == f"{target}: {expected.mean():.1%} of the photo\n"


def test_what_cannot_be_ends_with_a_sentence(desk, loaded, capsys):
    (desk.out / "there.png").write_bytes(b"a holiday")
    for more, message in (
        (["--inside", "5", "3", "-o", str(desk.out / "mask.png")], "'5' is no point"),
        (["--inside", "5,x", "-o", str(desk.out / "mask.png")], "'5,x' is no point"),
        (["--inside", "5,5", "-o", str(desk.out / "mask.jpg")], "must end in one of .png"),
        (["--inside", "5,5", "-o", str(desk.out / "there.png")], "exists"),
        (["--inside", "5,5", "-o", str(desk.out / "mask.png"), "--grow-px", "-1"], "must not be negative"),
    ):
        assert select.main([str(desk.photo), *more]) == 2
        assert message in capsys.readouterr().err
    assert not loaded and (desk.out / "there.png").read_bytes() == b"a holiday"
