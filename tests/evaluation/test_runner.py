import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from sair_core.errors import DataError, MethodError, MissingDependencyError
from sair_core.evaluation import l1, psnr, ssim
from sair_core.evaluation.baselines import mean
from sair_core.evaluation.external import FinishedFills
from sair_core.evaluation.features import Maps
from sair_core.evaluation.holes import FolderHoles, Hole, IrregularHoles
from sair_core.evaluation.measure import PSNR_CAP_DB, Ruler
from sair_core.evaluation.methods import RestoreMethod
from sair_core.evaluation.metrics import l1_inside, psnr_inside, ssim_inside
from sair_core.evaluation.realism import gradient_ratio
from sair_core.evaluation.report import format_drawn
from sair_core.evaluation.runner import Benchmark, evaluate
from sair_core.evaluation.samples import centre_square, drawn_mask, list_samples
from sair_core.evaluation.summary import Tally, gains, summarise
from sair_core.photos.degrade import parse_degradation
from tests.evaluation.conftest import SIZE_PX, pattern


def invert(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A careless method: spoils its arguments and known pixels as well."""
    photo[:] = 255 - photo
    mask[:] = False
    return photo


def a_benchmark(photo_folder, methods, **more) -> Benchmark:
    return Benchmark(methods, list_samples(photo_folder), IrregularHoles(0), SIZE_PX, **more)


def a_mask(photo_index: int, bin_index: int) -> np.ndarray:
    return drawn_mask(0, photo_index, bin_index, (SIZE_PX, SIZE_PX))


def flat(found) -> list:
    return tally(found).records


def tally(found) -> Tally:
    total = Tally()
    for one in found:
        total.add(one)
    return total


def test_records_hold_what_the_metrics_say_of_the_composite(photo_folder):
    records = flat(evaluate(a_benchmark(photo_folder, {"sair": invert, "mean": mean})))
    assert [(r.photo, r.bin, r.method) for r in records[:3]] == [
        ("a.png", "0-20", "sair"),
        ("a.png", "0-20", "mean"),
        ("a.png", "20-40", "sair"),
    ]
    assert len(records) == 3 * 3 * 2
    photo = centre_square(pattern(1), SIZE_PX)
    mask = a_mask(1, 2)
    expected = {"sair": np.where(mask[..., None], 255 - mean(photo, mask), photo), "mean": mean(photo, mask)}
    for record in records:
        if (record.photo, record.bin) == ("b.png", "40-60"):
            result = expected[record.method]
            assert record.whole.psnr_db == psnr(photo, result)
            assert record.whole.ssim == ssim(photo, result)
            assert record.whole.l1 == l1(photo, result)
            assert record.hole.psnr_db == psnr_inside(photo, result, mask)
            assert record.hole.ssim == ssim_inside(photo, result, mask)
            assert record.hole.l1 == l1_inside(photo, result, mask)
            assert record.hole.distance is None is record.whole.distance  # no features to measure with
            assert record.hole_share == mask.mean()
            assert record.lpips is None
            assert record.seconds > 0
    assert all((record.known_changed_px > 0) == (record.method == "sair") for record in records)


def test_perfect_fills_are_capped(photo_folder):
    truth = [centre_square(pattern(i), SIZE_PX) for i in range(3)]

    def know_all(photo, mask):
        return min(truth, key=lambda t: np.abs(t.astype(int) - photo)[~mask].sum())

    records = flat(evaluate(a_benchmark(photo_folder, {"sair": know_all})))
    assert {record.whole.psnr_db for record in records} == {PSNR_CAP_DB}
    assert {record.hole.psnr_db for record in records} == {PSNR_CAP_DB}
    assert {record.whole.l1 for record in records} == {0}


def test_no_method_sees_what_the_hole_hides(photo_folder):
    truth = [centre_square(pattern(i), SIZE_PX) for i in range(3)]

    def spy(photo, mask):
        assert (photo[mask] == photo[mask][0]).all()
        assert any(np.array_equal(photo[~mask], known[~mask]) for known in truth)
        return photo

    assert len(flat(evaluate(a_benchmark(photo_folder, {"sair": spy, "telea": spy})))) == 18


def test_workers_change_nothing_but_the_order(photo_folder):
    def key(record):
        return record.photo_index, record.bin, record.method, record.whole.psnr_db, record.hole.ssim

    benchmark = a_benchmark(photo_folder, {"sair": invert, "mean": mean})
    assert sorted(map(key, flat(evaluate(benchmark, workers=3)))) == sorted(
        map(key, flat(evaluate(benchmark)))
    )


def test_an_unreadable_photo_is_left_out(photo_folder, caplog):
    (photo_folder / "b.png").write_bytes(b"not a picture")
    found = list(evaluate(a_benchmark(photo_folder, {"mean": mean})))
    assert [len(one.records) for one in found] == [3, 0, 3]
    assert "b.png" in caplog.text
    # The others keep their masks: they are numbered by the folder, not by what could be read.
    assert found[2].records[0].hole_share == a_mask(2, 0).mean()


def test_results_of_another_shape_are_refused(photo_folder):
    with pytest.raises(DataError, match="'sair' returned"):
        next(evaluate(a_benchmark(photo_folder, {"sair": lambda photo, mask: photo[:-1]})))


def test_lpips_is_called_with_truth_and_composite(photo_folder):
    benchmark = a_benchmark(
        photo_folder, {"mean": mean}, ruler=Ruler(lambda a, b: float((a != b).any(axis=-1).mean()))
    )
    for record in flat(evaluate(benchmark)):
        assert 0 < record.lpips <= record.hole_share


def test_saved_masks_give_the_same_run_and_strips_are_written(photo_folder, tmp_path):
    folders = {"mask_folder": tmp_path / "m", "picture_folder": tmp_path / "p"}
    first = flat(evaluate(a_benchmark(photo_folder, {"mean": mean}, **folders)))
    assert len(list((tmp_path / "m").glob("*.png"))) == 9
    holes = FolderHoles(tmp_path / "m", SIZE_PX)
    again = Benchmark({"mean": mean}, list_samples(photo_folder), holes, SIZE_PX)
    assert [r.whole for r in flat(evaluate(again))] == [r.whole for r in first]
    strips = sorted((tmp_path / "p").glob("*.png"))
    assert len(strips) == 9
    with Image.open(strips[0]) as strip:
        assert strip.width > 3 * SIZE_PX  # photo, known, one method


def test_summary_and_gain(photo_folder):
    black = {"telea": lambda photo, mask: np.zeros_like(photo)}
    benchmark = a_benchmark(photo_folder, {"sair": mean, **black, "biharmonic": mean})
    measured = tally(evaluate(benchmark))
    records, summaries = measured.records, summarise(measured)
    assert [(s.bin, s.method) for s in summaries[:4]] == [
        ("0-20", "sair"),
        ("0-20", "telea"),
        ("0-20", "biharmonic"),
        ("20-40", "sair"),
    ]
    rows = [r for r in records if (r.bin, r.method) == ("20-40", "telea")]
    summary = summaries[4]
    assert summary.photos == 3
    assert summary.whole.psnr_db == pytest.approx(np.mean([r.whole.psnr_db for r in rows]))
    assert summary.hole.l1 == pytest.approx(np.mean([r.hole.l1 for r in rows]))
    assert summary.seconds == np.median([r.seconds for r in rows])
    found = gains(summaries, ("telea", "biharmonic"))
    assert [gain.bin for gain in found] == ["0-20", "20-40", "40-60", "all"]
    # Best of the two is the mean in disguise, which is what "sair" is here.
    assert all(gain.psnr_db == 0 and gain.psnr_baseline == "biharmonic" for gain in found)
    against_worse = gains(summaries, ("telea",))
    assert all(gain.psnr_db > 0 and gain.ssim > 0 for gain in against_worse)
    assert gains(summaries, ()) == []


def two_greys(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A method that draws two samples."""
    return np.stack([np.where(mask[..., None], np.uint8(grey), photo) for grey in (0, 128)])


def test_samples_have_a_best_one_and_differ(photo_folder):
    lpips = lambda a, b: float((a != b).any(axis=-1).mean())  # noqa: E731
    benchmark = a_benchmark(photo_folder, {"spn": two_greys, "mean": mean}, ruler=Ruler(lpips))
    measured = tally(evaluate(benchmark))
    records = measured.records
    photo, mask = centre_square(pattern(1), SIZE_PX), a_mask(1, 2)
    first, second = two_greys(photo, mask)
    (record,) = [r for r in records if (r.photo, r.bin, r.method) == ("b.png", "40-60", "spn")]
    assert record.whole.psnr_db == psnr(photo, first) < record.drawn.psnr_db == psnr(photo, second)
    assert record.drawn.samples == 2
    assert (record.drawn.ssim, record.drawn.l1) == (ssim(photo, second), l1(photo, second))
    assert record.drawn.diversity_l1 == l1_inside(first, second, mask) == pytest.approx(128 / 255)
    assert record.drawn.diversity_lpips == mask.mean()
    summary = [s for s in summarise(measured) if (s.bin, s.method) == ("40-60", "spn")][0]
    best = [r.drawn.psnr_db for r in records if (r.bin, r.method) == ("40-60", "spn")]
    assert summary.drawn.psnr_db == pytest.approx(np.mean(best))
    assert all(r.drawn is None for r in records if r.method == "mean")


def test_each_sample_has_a_frechet_distance_of_its_own(photo_folder):
    ruler = Ruler(features=blocks)
    measured = tally(evaluate(a_benchmark(photo_folder, {"spn": two_greys, "mean": mean}, ruler=ruler)))
    summaries = {s.method: s for s in summarise(measured) if s.bin == "all"}
    first, second = summaries["spn"].drawn.frechet
    assert first == summaries["spn"].hole.frechet and first != second
    alone = {"spn": lambda photo, mask: two_greys(photo, mask)[1]}
    again = tally(evaluate(a_benchmark(photo_folder, alone, ruler=ruler)))
    assert second == next(s.hole.frechet for s in summarise(again) if s.bin == "all")
    assert list(summaries) == ["spn", "mean"]
    assert f"{first:.3f} {second:.3f}" in format_drawn(list(summaries.values()))


def test_one_sample_of_a_method_that_draws_is_like_any_other(photo_folder):
    one = flat(evaluate(a_benchmark(photo_folder, {"spn": lambda *both: two_greys(*both)[:1]})))
    assert all(record.drawn is None for record in one)
    with pytest.raises(DataError, match="'spn' returned"):
        next(evaluate(a_benchmark(photo_folder, {"spn": lambda *both: two_greys(*both)[:0]})))


def test_all_bins_together_come_last(photo_folder):
    measured = tally(evaluate(a_benchmark(photo_folder, {"mean": mean, "sair": invert})))
    summaries = summarise(measured)
    assert [(s.bin, s.method) for s in summaries[-2:]] == [("all", "mean"), ("all", "sair")]
    rows = [r for r in measured.records if r.method == "mean"]
    assert summaries[-2].photos == 3 and len(rows) == 9
    assert summaries[-2].whole.psnr_db == pytest.approx(np.mean([r.whole.psnr_db for r in rows]))


def blocks(picture: np.ndarray) -> Maps:
    """Two maps of means over squares of 4 and 8 px, instead of a network's."""
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    return [torch.nn.functional.avg_pool2d(x, n)[0] for n in (4, 8)]


def test_features_are_measured_inside_the_hole_and_everywhere(photo_folder):
    def dark(photo, mask):
        return np.where(mask[..., None], photo // 3, photo)

    def noisy(photo, mask):
        grain = np.random.default_rng(0).integers(0, 256, photo.shape, dtype=np.uint8)
        return np.where(mask[..., None], grain, photo)

    ruler = Ruler(features=blocks)
    measured = tally(evaluate(a_benchmark(photo_folder, {"sair": dark, "spn": noisy}, ruler=ruler)))
    for summary in summarise(measured):
        assert summary.hole.frechet > summary.whole.frechet > 0
        assert summary.hole.distance > summary.whole.distance > 0
    by_method = {s.method: s for s in summarise(measured) if s.bin == "all"}
    assert by_method["spn"].hole.gradients > by_method["sair"].hole.gradients > 0
    photo, mask = centre_square(pattern(0), SIZE_PX), a_mask(0, 0)
    result = dark(mean(photo, mask), mask)
    assert measured.records[0].hole.gradients == gradient_ratio(result, photo, mask)


def test_photos_keep_their_own_size_where_none_is_given(photo_folder):
    def below(sample, size_px):
        mask = np.zeros(size_px, bool)
        mask[size_px[0] // 2 + sample.index :] = True
        yield Hole("half", mask)

    seen = []

    def look(photo, mask):
        seen.append((photo.shape, mask.sum()))
        return photo

    benchmark = Benchmark({"mean": look}, list_samples(photo_folder), below, None)
    assert [r.bin for r in flat(evaluate(benchmark))] == ["half"] * 3
    assert seen == [((60, 72, 3), (30 - i) * 72) for i in range(3)]


def test_a_method_of_others_that_fails_is_recorded_and_the_rest_goes_on(photo_folder, tmp_path):
    def moody(photo, mask):
        if mask.mean() < 0.2:
            raise MethodError("too small for me")
        return photo

    def absent(photo, mask):
        raise MissingDependencyError("run `pip install absent`")

    methods = {"moody": moody, "absent": absent, "mean": mean}
    measured = tally(evaluate(a_benchmark(photo_folder, methods, picture_folder=tmp_path)))
    assert [r.method for r in measured.records[:3]] == ["mean", "moody", "mean"]
    assert {(f.bin, f.method, f.reason) for f in measured.failures if f.photo == "a.png"} == {
        ("0-20", "moody", "too small for me"),
        *((name, "absent", "run `pip install absent`") for name in ("0-20", "20-40", "40-60")),
    }
    assert len(list(tmp_path.glob("*.png"))) == 9


def test_saved_fills_are_a_method_like_any_other(photo_folder, tmp_path):
    first = flat(evaluate(a_benchmark(photo_folder, {"mean": mean, "sair": invert}, fill_folder=tmp_path)))
    folders = {name: FinishedFills(tmp_path / name) for name in ("mean", "sair")}
    again = flat(evaluate(a_benchmark(photo_folder, folders)))
    assert [(r.method, r.whole, r.hole) for r in again] == [(r.method, r.whole, r.hole) for r in first]
    assert [r.seconds for r in again] == [r.seconds for r in first]
    (tmp_path / "sair" / "00001_b_20-40.png").unlink()
    measured = tally(evaluate(a_benchmark(photo_folder, folders)))
    assert [(f.photo, f.bin) for f in measured.failures] == [("b.png", "20-40")]


def test_a_run_that_was_stopped_goes_on_with_the_fills_it_has(photo_folder, tmp_path):
    calls = []

    def counting(photo, mask):
        calls.append(mask.mean())
        return mean(photo, mask)

    methods = {"sair": counting}
    first = flat(evaluate(a_benchmark(photo_folder, methods, fill_folder=tmp_path)))
    (tmp_path / "sair" / "00001_b_20-40.png").unlink()
    again = flat(evaluate(a_benchmark(photo_folder, methods, fill_folder=tmp_path, resume=True)))
    assert len(calls) == 9 + 1 and (tmp_path / "sair" / "00001_b_20-40.png").is_file()
    assert [(r.whole, r.hole) for r in again] == [(r.whole, r.hole) for r in first]
    flat(evaluate(a_benchmark(photo_folder, methods, fill_folder=tmp_path)))
    assert len(calls) == 9 + 1 + 9  # only where it was asked for


def test_holes_have_digests_that_are_checked(photo_folder):
    digests = tally(evaluate(a_benchmark(photo_folder, {"mean": mean}))).hole_digests
    assert len(set(digests.values())) == 9 and "00001_b_20-40" in digests
    assert len(flat(evaluate(a_benchmark(photo_folder, {"mean": mean}, hole_digests=digests)))) == 9
    digests["00001_b_20-40"] = digests["00001_b_0-20"]
    with pytest.raises(DataError, match="00001_b_20-40 is not that of the manifest"):
        flat(evaluate(a_benchmark(photo_folder, {"mean": mean}, hole_digests=digests)))


class DarkIsTwo:
    """Names a dark pixel by the third name, a light one by the second."""

    def read(self, picture):
        return picture.mean(axis=2) < 100

    def name(self, dark, names):
        assert names == ["sky", "road", "car"]
        return SimpleNamespace(ids=1 + dark.astype(np.uint8))


def test_agreement_is_how_often_the_fill_is_named_as_the_truth_is(tmp_path):
    names = [{"id": i, "name": name} for i, name in enumerate(("sky", "road", "car"))]
    (tmp_path / "classes.json").write_text(json.dumps({"classes": names}))
    photo, ids = np.full((48, 60, 3), 200, np.uint8), np.ones((48, 60), np.uint8)
    photo[:, 30:] = 20
    ids[:, 30:] = 2
    ids[:, :6] = 255  # nobody knows
    Image.fromarray(photo).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(ids).save(tmp_path / "a.png")
    Image.fromarray(photo).save(tmp_path / "b.jpg", quality=95)

    def band(sample, size_px):
        mask = np.zeros(size_px, bool)
        mask[20:40, :45] = True  # of the labelled pixels 24 columns of road, 15 of car
        yield Hole("band", mask)

    paint = {
        "light": lambda photo, mask: np.full_like(photo, 210),
        "dark": lambda photo, mask: np.full_like(photo, 10),
    }
    ruler = Ruler(reader=DarkIsTwo())
    records = flat(evaluate(Benchmark(paint, list_samples(tmp_path), band, None, ruler)))
    found = {(r.photo, r.method): (r.hole.agreement, r.whole.agreement) for r in records}
    assert found["a.jpg", "light"][0] == pytest.approx(24 / 39)
    assert found["a.jpg", "dark"][0] == pytest.approx(15 / 39)
    assert found["a.jpg", "light"][1] == pytest.approx(1 - 15 * 20 / (54 * 48))
    assert found["b.jpg", "light"] == (None, None)


def test_degraded_photos_are_filled_and_measured_beside_the_truth(photo_folder, tmp_path):
    given = []

    def keep(photo, mask):
        given.append(photo)
        return photo

    degradations = [None, *map(parse_degradation, ("noise:0.1", "scale:4"))]
    folders = dict(mask_folder=tmp_path / "masks", fill_folder=tmp_path / "fills")
    benchmark = a_benchmark(photo_folder, {"keep": keep}, degradations=degradations, seed=3, **folders)
    found = tally(evaluate(benchmark))
    rows = ["keep", "keep noise:0.1", "keep scale:4"]
    assert [r.method for r in found.records] == rows * 9 and len(found.hole_digests) == 9
    photo, mask = centre_square(pattern(0), SIZE_PX), a_mask(0, 0)
    plain, noisy, coarse = found.records[:3]
    assert plain.whole.l1 < noisy.whole.l1  # what is known is put back in a photo that was not degraded
    assert noisy.whole.psnr_db == psnr(photo, given[1]) and coarse.whole.psnr_db == psnr(photo, given[2])
    assert noisy.hole.psnr_db == psnr_inside(photo, given[1], mask)
    assert (given[1][mask] == given[1][mask][0]).all()  # the hole is hidden, noise or not
    assert given[1][~mask].std() > given[0][~mask].std() and given[2].shape == photo.shape
    again = flat(evaluate(benchmark))
    assert [r.whole for r in again] == [r.whole for r in found.records]
    assert len(list((tmp_path / "masks").iterdir())) == 9
    assert (tmp_path / "fills" / "keep" / "00000_a_0-20_noise-0.1.png").is_file()


def test_a_method_that_restores_sees_the_reduced_photo_and_all_of_its_hole(photo_folder):
    seen = []

    class Restores(RestoreMethod):
        def __init__(self):
            pass

        def __call__(self, photo, mask, size_px=None):
            seen.append((photo, mask, size_px))
            return np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8)

    benchmark = a_benchmark(
        photo_folder, {"all": Restores()}, degradations=[None, parse_degradation("scale:4")]
    )
    records = flat(evaluate(benchmark))
    (photo, mask, size_px), (small, small_mask, large) = seen[:2]
    assert size_px is None and large == (SIZE_PX, SIZE_PX) and small.shape == (12, 12, 3)
    blocks = mask.reshape(12, 4, 12, 4).any(axis=(1, 3))
    assert np.array_equal(small_mask, blocks) and photo.shape == (SIZE_PX, SIZE_PX, 3)
    black = np.zeros_like(photo)
    assert records[1].whole.psnr_db == psnr(centre_square(pattern(0), SIZE_PX), black)
