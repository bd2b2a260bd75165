import numpy as np
import pytest
import torch
from PIL import Image

from sair_core.coords import sample
from sair_core.errors import DataError
from sair_core.evaluation.objects import SHARE
from sair_core.photos.degrade import parse_degradation
from sair_core.photos.folders import Classes, list_photos
from sair_core.training.data.photos import load_photos, split


def test_photo_files_leave_label_maps_out(photo_folder):
    names = [p.name for p in list_photos([photo_folder])]
    assert names == sorted(names) and "p0.jpg" in names and "p0.png" not in names and "tiny.png" in names


def test_folders_without_photos(tmp_path):
    with pytest.raises(DataError, match="holds no photos"):
        list_photos([tmp_path])
    with pytest.raises(DataError, match="not a folder"):
        list_photos([tmp_path / "none"])


def test_corrupt_and_tiny_photos_are_skipped_and_named(photo_folder, caplog):
    assert len(load_photos(list_photos([photo_folder]))) == 8
    assert "corrupt.jpg" in caplog.text and "tiny.png" in caplog.text
    with pytest.raises(DataError, match="None of the 1 photos"):
        load_photos([photo_folder / "corrupt.jpg"])


def test_split_is_seeded_and_disjoint(photo_folder):
    paths = list_photos([photo_folder])
    train, val = split(paths, 0.3, seed=0)
    assert not set(train) & set(val) and sorted(train + val) == paths and val
    assert split(paths, 0.3, seed=0) == (train, val)
    assert any(split(paths, 0.3, seed=s)[1] != val for s in range(1, 5))
    with pytest.raises(DataError, match="Add photos"):
        split(paths[:1], 0.3, seed=0)


def test_a_sample_depends_on_its_number_only(samples):
    a, b = samples()[7], samples()[7]
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["rgb01"], samples()[8]["rgb01"])
    assert not torch.equal(a["rgb01"], samples(seed=6)[7]["rgb01"])


def test_crops_are_enlarged_by_so_much_at_most(fill_samples):
    def sides(size_px, **changes):
        return {spec.side for i in range(60) for spec in fill_samples(size_px=size_px, **changes)[i]}

    assert min(sides(60)) < 60 and min(sides(60)) >= 60 / 1.25
    assert min(sides(60, enlarge_max=1.0)) >= 60 and sides(96, enlarge_max=1.0) == {80}  # the whole photo


def test_holes_of_a_batch_are_as_large_as_objects_or_irregular(samples):
    def holes(**changes):
        return [samples(batch=4, size_px=64, **changes)[i]["hole01"].mean().item() for i in range(64)]

    irregular, objects, both = holes(), holes(object_share=1.0), holes(object_share=0.5)
    assert all(SHARE[0] <= share <= SHARE[1] for share in objects) and max(irregular) > 0.4
    batches = [both[i : i + 4] for i in range(0, 64, 4)]
    of_objects = [batch == objects[4 * i : 4 * i + 4] for i, batch in enumerate(batches)]
    of_others = [batch == irregular[4 * i : 4 * i + 4] for i, batch in enumerate(batches)]
    assert all(a != b for a, b in zip(of_objects, of_others)) and 4 <= sum(of_objects) <= 12


def test_every_photo_comes_once_an_epoch(samples):
    s = samples()
    for epoch in range(3):
        blues = {round(float(s[3 * epoch + i]["rgb01"][0, 2].mean() * 255 / 40)) for i in range(3)}
        assert blues == {0, 1, 2}


FINER = dict(size_px=64, scale_share=1.0, scale_max=4.0)


@pytest.mark.parametrize("changes", [{}, FINER])
def test_targets_are_the_photos_colours_at_the_queried_coordinates(changes, pictures):
    """The picture is linear in y and x, so bilinear sampling of the input must give the target."""
    for one in pictures(**changes):
        side = one["rgb01"].shape[-1]
        count = round(200 * (side / changes.get("size_px", 32)) ** 2)
        assert one["hole01"].shape == (1, side, side)
        assert one["coords_yx"].shape == (count, 2) and one["target01"].shape == (count, 3)
        inner = (one["coords_yx"].abs() < 0.85).all(dim=1)
        expected = sample(one["rgb01"][None], one["coords_yx"][None])[0]
        assert (expected - one["target01"])[inner].abs().max() < 0.06
        in_hole = sample(one["hole01"][None], one["coords_yx"][None], mode="nearest")[0, :, 0]
        if one["hole01"].any():
            assert in_hole.mean() == pytest.approx(0.75, abs=0.25 if changes else 1e-6)
        else:
            assert changes
        assert (one["cell"] <= 2 / side + 1e-9).all()


def test_finer_targets_come_with_more_and_smaller_pictures(samples):
    sizes, factors, holes = set(), [], []
    for number in range(12):
        batch = samples(**FINER)[number]
        count, _, side, _ = batch["rgb01"].shape
        assert count * side**2 == 64**2
        sizes.add(side)
        factors += (2 / batch["cell"][:, 0] / side).tolist()
        holes += batch["hole01"].flatten(1).any(1).tolist()
    assert sizes == {16, 32} and min(factors) >= 1 and max(factors) > 2.5
    assert 0.3 < np.mean(holes) < 0.7


@pytest.mark.parametrize("changes", [{}, FINER])
def test_classes_belong_to_the_queried_pixels(changes, pictures):
    for one in pictures(**changes):
        if round(float(one["rgb01"][2].mean() * 255 / 40)) == 2:
            assert (one["ids"] == 255).all()
            continue
        expected = one["target01"][:, 1] * 255 / 20  # green is 2 x, a class every 10 px
        assert (one["ids"] - expected + 0.5).abs().max() < 0.85


def test_label_maps_are_read_with_the_photos_where_classes_are_given(photo_folder):
    Image.fromarray(np.full((90, 120), 1, np.uint8)).save(photo_folder / "p3.png")
    Image.fromarray(np.full((90, 120), 7, np.uint8)).save(photo_folder / "p4.png")
    classes = Classes(("sky", "car"), ((), ()), partial=("p3.jpg",))
    photos = load_photos(list_photos([photo_folder]), classes)
    assert len(photos) == 7  # the map of p4 holds an id that no class has
    known = [p for p in photos if p.ids is not None]
    assert sorted(int(p.ids.max()) for p in known) == [0, 1] and [p.partial for p in photos].count(True) == 1
    assert all(p.ids is None for p in load_photos(list_photos([photo_folder])))


def test_degradations_change_the_picture_and_not_its_targets(samples):
    plain, noisy, blurred = (
        samples(degradations=[parse_degradation(text)]) for text in ("none", "noise:0.1", "blur:2")
    )
    for number in range(6):
        want = plain[number]
        assert torch.equal(want["rgb01"], want["true01"])
        for one in (noisy[number], blurred[number]):
            assert torch.equal(one["true01"], want["true01"])
            assert not torch.equal(one["rgb01"], one["true01"])
        at = noisy[number]["coords_yx"]
        assert (sample(noisy[number]["true01"], at) - noisy[number]["target01"]).abs().max() < 1e-5
    assert torch.equal(noisy[3]["rgb01"], samples(degradations=[parse_degradation("noise:0.1")])[3]["rgb01"])


def test_a_scale_asks_for_finer_pixels_of_a_picture_of_the_same_size(samples):
    for number in range(6):
        picture = samples(size_px=20, degradations=[parse_degradation("scale:4")])[number]
        assert picture["rgb01"].shape[-2:] == (20, 20)
        fine_px = torch.round(2 / picture["cell"][0, 0])  # as fine as the photo is: 80 px
        assert 60 < fine_px <= 80
        # Colours are linear in y and x: an interpolation of the picture is near its finer target.
        inner = picture["coords_yx"].abs().amax(-1) < 0.8
        error = sample(picture["rgb01"], picture["coords_yx"]) - picture["target01"]
        assert error.abs().amax(-1)[inner].max() < 0.02


def test_pictures_of_a_batch_meet_different_degradations(fill_samples):
    found = fill_samples(degradations=[parse_degradation(text) for text in ("none", "scale:2", "blur:1-3")])
    drawn = [found[number][0].degraded for number in range(60)]
    kinds = [tuple(kind for kind, _ in steps) for steps in drawn]
    assert {(): 0, ("scale",): 0, ("blur",): 0}.keys() == set(kinds)
    assert min(kinds.count(kind) for kind in set(kinds)) > 10
