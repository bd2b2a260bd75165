import inspect

import numpy as np
import pytest
import torch
from PIL import Image

from sair_core.coords import cell_of, grid_coords
from sair_core.errors import (
    ConfigError,
    DeviceError,
    EmptyMaskError,
    FullMaskError,
    LabelError,
    MaskSizeError,
    PhotoError,
)
from sair_core.holes import reduce_known
from sair_core.models.sair import decode_chunked
from sair_core.photos.masks import mask_to_image
from sair_core.pipeline import InpaintPipeline
from tests.conftest import disc


def colour_photo(mode: str) -> Image.Image:
    rng = np.random.default_rng(3)
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 65536, (70, 90), dtype=np.uint16))
    bands = len(Image.new(mode, (1, 1)).getbands())
    array = rng.integers(0, 256, (70, 90, bands), dtype=np.uint8)
    return Image.fromarray(array[..., 0] if bands == 1 else array, mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16"])
def test_known_pixels_size_and_mode_are_the_photos(tiny_pipe, mode):
    photo, mask = colour_photo(mode), disc((70, 90), (30, 40), 12)
    result = tiny_pipe.fill(photo, mask)
    before, after = np.asarray(photo), np.asarray(result.image)
    assert result.image.mode == photo.mode and result.image.size == photo.size
    assert np.array_equal(after[~mask], before[~mask])
    assert (after[mask] != before[mask]).any()
    assert np.array_equal(result.mask, mask) and result.seconds > 0


def test_a_result_is_a_photo_to_go_on_with(tiny_pipe):
    photo, first, second = colour_photo("LA"), disc((70, 90), (30, 40), 12), disc((70, 90), (50, 70), 9)
    result = tiny_pipe.fill(photo, first)
    assert np.array_equal(result.image, result.photo.to_image()) and result.photo.mode == "LA"
    twice = tiny_pipe.fill(result.photo, second)
    assert np.array_equal(twice.image, tiny_pipe.fill(result.image, second).image)
    assert np.array_equal(np.asarray(twice.image)[~second], np.asarray(result.image)[~second])


def test_photos_and_masks_in_every_form_give_the_same_result(tiny_pipe, bird, tmp_path):
    mask = disc((bird.height, bird.width), (100, 150), 20)
    bird.save(tmp_path / "p.png")
    mask_to_image(mask).save(tmp_path / "m.png")
    results = [
        tiny_pipe.fill(bird, mask),
        tiny_pipe.fill(np.asarray(bird), mask_to_image(mask)),
        tiny_pipe.fill(tmp_path / "p.png", tmp_path / "m.png"),
        tiny_pipe.fill(str(tmp_path / "p.png"), str(tmp_path / "m.png"), seed=7),
    ]
    assert all(np.array_equal(r.image, results[0].image) for r in results)
    assert [r.seed for r in results] == [0, 0, 0, 7]


def test_exif_orientation_and_icc_profile(tiny_pipe, bird):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: stored lying, shown upright
    import io

    buffer = io.BytesIO()
    bird.save(buffer, format="PNG", exif=exif, icc_profile=b"profile bytes")
    upright = bird.transpose(Image.Transpose.ROTATE_270)
    mask = disc((upright.height, upright.width), (50, 60), 15)
    image = tiny_pipe.fill(buffer.getvalue(), mask).image
    assert image.size == upright.size
    assert np.array_equal(np.asarray(image)[~mask], np.asarray(upright)[~mask])
    assert image.getexif().get(0x0112, 1) == 1
    assert image.info["icc_profile"] == b"profile bytes"


def test_only_known_pixels_matter(tiny_pipe, bird):
    mask = disc((bird.height, bird.width), (100, 150), 30)
    scrambled = np.asarray(bird).copy()
    scrambled[mask] = np.random.default_rng(0).integers(0, 256, (mask.sum(), 3))
    assert np.array_equal(tiny_pipe.fill(bird, mask).image, tiny_pipe.fill(scrambled, mask).image)


def test_without_seam_removal_it_is_what_the_model_says(tiny_pipe, bird):
    mask = disc((bird.height, bird.width), (100, 150), 20)
    alone = InpaintPipeline(tiny_pipe.model, device="cpu", remove_seams=False, texture=False)
    raw = alone.fill(bird, mask)
    before, after = np.asarray(bird), np.asarray(raw.image)
    assert np.array_equal(after[~mask], before[~mask])
    meeting = np.asarray(tiny_pipe.fill(bird, mask).image)

    def step(picture):  # where the hole's left half begins
        rows, columns = np.nonzero(mask & ~np.roll(mask, 1, axis=1))
        return np.abs(picture[rows, columns].astype(int) - before[rows, columns - 1]).mean()

    assert step(after) > 3 * step(meeting)


def test_with_the_mirror_mirrored_photos_give_mirrored_fills(tiny_pipe, bird):
    photo = np.asarray(bird.resize((96, 96)))  # small enough for one crop of all of it
    mask = disc((96, 96), (50, 40), 15)
    pipe = InpaintPipeline(tiny_pipe.model, device="cpu", mirror=True, texture=False)
    plain = np.asarray(pipe.fill(photo, mask).image).astype(int)
    turned = np.asarray(pipe.fill(photo[:, ::-1], mask[:, ::-1]).image)[:, ::-1].astype(int)
    single = tiny_pipe.fill(photo, mask, texture=False)
    assert np.abs(plain - turned).max() <= 1
    assert np.abs(plain - np.asarray(single.image)).max() > 1


def test_deterministic(tiny_pipe, bird):
    mask = disc((bird.height, bird.width), (100, 150), 30)
    assert np.array_equal(tiny_pipe.fill(bird, mask).image, tiny_pipe.fill(bird, mask).image)


def test_far_blobs_are_filled_as_if_alone(tiny_pipe):
    photo = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), dtype=np.uint8)
    first, second = disc((1200, 1600), (100, 100), 20), disc((1200, 1600), (1000, 1400), 30)
    both = np.asarray(tiny_pipe.fill(photo, first | second).image)
    assert np.array_equal(both[first], np.asarray(tiny_pipe.fill(photo, first).image)[first])
    assert np.array_equal(both[second], np.asarray(tiny_pipe.fill(photo, second).image)[second])


@pytest.mark.parametrize("size", [(1, 2), (2, 1), (5, 3), (17, 33), (1, 300), (300, 2)])
def test_odd_sizes(tiny_pipe, size):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    mask = np.zeros(size, bool)
    mask[0, 0] = True
    after = np.asarray(tiny_pipe.fill(photo, mask).image)
    assert np.array_equal(after[~mask], photo[~mask])


def test_a_long_hole_cut_in_crops_has_no_seam(tiny_pipe):
    """A wire across a large smooth photo: where two crops meet, the fill must not jump."""
    ys, xs = np.mgrid[:400, :3000]
    photo = np.stack([60 + xs / 30, 90 + ys / 10, 160 - xs / 40], axis=-1).astype(np.uint8)
    mask = np.abs(ys - 200) <= 3
    row = np.asarray(tiny_pipe.fill(photo, mask).image)[200].astype(int)
    assert np.abs(np.diff(row, axis=0)).max() <= 6


def test_errors_say_what_to_do(tiny_pipe, bird):
    empty = np.zeros((bird.height, bird.width), bool)
    with pytest.raises(EmptyMaskError, match="Paint"):
        tiny_pipe.fill(bird, empty)
    with pytest.raises(FullMaskError, match="Leave some"):
        tiny_pipe.fill(bird, ~empty)
    with pytest.raises(MaskSizeError, match="384 x 384"):
        tiny_pipe.fill(bird, np.ones((10, 20), bool))
    with pytest.raises(PhotoError):
        tiny_pipe.fill(b"not a photo", empty)
    with pytest.raises(DeviceError):
        InpaintPipeline(tiny_pipe.model, device="cuda:77")


def test_progress_moves_to_the_end(tiny_pipe, bird):
    seen = []
    tiny_pipe.fill(
        bird, disc((bird.height, bird.width), (100, 150), 20), progress=lambda s, t: seen.append((s, t))
    )
    shares = [share for share, _ in seen]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1 and all(text for _, text in seen)


def test_reduced_photo_never_sees_the_hole():
    rgb, hole = torch.full((1, 3, 40, 60), 0.25), torch.zeros(1, 1, 40, 60)
    hole[..., 11:26, 13:44] = 1
    rgb = torch.where(hole > 0, torch.ones_like(rgb), rgb)
    small, small_hole = reduce_known(rgb, hole, (16, 32))
    assert small.shape[-2:] == (16, 32) and 0 < small_hole.mean() < 1
    known = (small_hole == 0).expand_as(small)
    torch.testing.assert_close(small[known], torch.full_like(small[known], 0.25))
    same, same_hole = reduce_known(rgb, hole, (40, 60))
    assert torch.equal(same_hole, hole) and (same * hole == 0).all()


def test_decode_in_chunks_equals_decode_whole(tiny_pipe, monkeypatch):
    torch.manual_seed(0)
    model = tiny_pipe.model
    features = model.encode(torch.rand(1, 3, 32, 48), torch.zeros(1, 1, 32, 48))
    coords, cell = grid_coords((50, 70)).flatten(0, 1)[None], cell_of((50, 70))[None]
    whole = model.decode(features, coords, cell)
    monkeypatch.setattr("sair_core.decoders.chunks.CPU_BYTES", 100_000)
    torch.testing.assert_close(decode_chunked(model.decode, features, coords, cell), whole, atol=1e-6, rtol=0)


def test_bf16_agrees_with_float32_within_the_stated_tolerance(pipe, bird):
    exact = InpaintPipeline.from_pretrained("sair-lite", device="cpu", bf16=False, texture=False)
    mask = disc((bird.height, bird.width), (110, 190), 25)
    a, b = (np.asarray(p.fill(bird, mask).image).astype(int)[mask] for p in (pipe, exact))
    assert np.abs(a - b).mean() < 2


def test_the_bundled_model_beats_a_mean_fill_and_its_own_starting_point(pipe, bird):
    from sair_core.encoders.initial_fill import pull_push

    photo = np.array(bird)
    model_error, mean_error, start_error = 0.0, 0.0, 0.0
    for centre in ((300, 100), (300, 285), (235, 190), (150, 210)):  # edges of the post, and the bird
        mask = disc(photo.shape[:2], centre, 24)
        rgb = torch.from_numpy(photo).permute(2, 0, 1)[None] / 255
        start = pull_push(rgb, torch.from_numpy(mask)[None, None].float())[0].permute(1, 2, 0).numpy() * 255
        model_error += squared_error(pipe.fill(bird, mask).image, photo, mask)
        mean_error += squared_error(np.broadcast_to(photo[~mask].mean(axis=0), photo.shape), photo, mask)
        start_error += squared_error(start, photo, mask)
    assert model_error < 0.3 * mean_error
    assert model_error < 0.9 * start_error


@pytest.mark.parametrize("mode", ["RGB", "LA", "I;16"])
def test_an_spn_keeps_what_is_known(spn_pipe, mode):
    photo, mask = colour_photo(mode), disc((70, 90), (30, 40), 12)
    result = spn_pipe.fill(photo, mask)
    before, after = np.asarray(photo), np.asarray(result.image)
    assert result.image.mode == photo.mode and np.array_equal(after[~mask], before[~mask])
    assert (after[mask] != before[mask]).any()


def test_variations_of_an_spn(spn_pipe, bird):
    mask = disc((bird.height, bird.width), (100, 150), 20)
    encoded, real = [], spn_pipe.model.encode
    spn_pipe.model.encode = lambda *args: encoded.append(1) or real(*args)
    try:
        results = spn_pipe.fill(bird, mask, seed=7, variations=3)
    finally:
        del spn_pipe.model.encode
    assert [one.seed for one in results] == [7, 8, 9] and len(encoded) == 1
    pictures = [np.asarray(one.image) for one in results]
    assert all((a != b).any() for a, b in zip(pictures, pictures[1:]))
    assert all(np.array_equal(one[~mask], np.asarray(bird)[~mask]) for one in pictures)
    assert np.array_equal(spn_pipe.fill(bird, mask, seed=8).image, pictures[1])
    assert len(spn_pipe.fill(bird, mask, variations=1)) == 1


def test_variations_by_their_own_method(spn_pipe, tiny_pipe, bird):
    mask = disc((bird.height, bird.width), (100, 150), 20)
    for pipe, count in ((spn_pipe, 3), (tiny_pipe, 1)):
        results = pipe.variations(bird, mask, count, seed=7)
        assert [one.seed for one in results] == [*range(7, 7 + count)]
        same = pipe.fill(bird, mask, seed=7, variations=count)
        assert all(np.array_equal(a.image, b.image) for a, b in zip(results, same, strict=True))
    with pytest.raises(ConfigError, match="1 variation or more"):
        spn_pipe.variations(bird, mask, 0)


def test_both_ways_to_fill_take_the_same_and_spell_it_out():
    fill, several = (
        inspect.signature(f).parameters for f in (InpaintPipeline.fill, InpaintPipeline.variations)
    )
    assert {*fill} - {"variations"} == {*several} - {"count"}
    methods = inspect.getmembers(InpaintPipeline, inspect.isroutine)
    for name, method in methods:
        if not name.startswith("__"):
            kinds = {p.kind for p in inspect.signature(method).parameters.values()}
            assert inspect.Parameter.VAR_KEYWORD not in kinds, name


def test_variations_where_a_later_crop_sees_an_earlier_fill(spn_pipe):
    """A wire across a large photo is cut: each variation goes on from its own colours."""
    ys, xs = np.mgrid[:400, :3000]
    photo = np.stack([60 + xs / 30, 90 + ys / 10, 160 - xs / 40], axis=-1).astype(np.uint8)
    mask = np.abs(ys - 200) <= 3
    both = spn_pipe.fill(photo, mask, seed=1, variations=2)
    assert np.array_equal(both[1].image, spn_pipe.fill(photo, mask, seed=2).image)
    assert np.array_equal(np.asarray(both[0].image)[~mask], photo[~mask])


def test_a_large_hole_of_an_spn_is_enlarged(spn_pipe):
    photo = np.random.default_rng(0).integers(0, 256, (900, 1000, 3), dtype=np.uint8)
    mask = disc((900, 1000), (450, 500), 300)
    after = np.asarray(spn_pipe.fill(photo, mask).image)
    assert np.array_equal(after[~mask], photo[~mask]) and len(np.unique(after[mask], axis=0)) > 100


def test_what_a_model_cannot_draw_is_told(tiny_pipe, spn_pipe, bird):
    mask = disc((bird.height, bird.width), (100, 150), 20)
    assert spn_pipe.draws and not tiny_pipe.draws
    assert tiny_pipe.fill(bird, mask, variations=1)[0].seed == 0
    with pytest.raises(ConfigError, match="one fill for a hole"):
        tiny_pipe.fill(bird, mask, variations=2)
    for options in ({"variations": 0}, {"seed": -1}, {"seed": 2**32 - 1, "variations": 2}):
        with pytest.raises(ConfigError):
            spn_pipe.fill(bird, mask, **options)
    with pytest.raises(LabelError, match="grass"):
        spn_pipe.fill(bird, mask, words="grass")


def test_beside_an_spn_the_bundled_sair_zooms(spn_pipe, bird):
    mask = disc((bird.height, bird.width), (100, 150), 10)
    view = spn_pipe.view(bird, mask, scale=2.0, size_px=(40, 60))
    assert view.size == (60, 40) and spn_pipe.sair.model_type == "sair"


def squared_error(filled, photo, mask) -> float:
    return float(((np.asarray(filled, float)[mask] - photo[mask]) ** 2).mean())
