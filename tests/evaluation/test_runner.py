import numpy as np
import pytest
from PIL import Image

from sair_core.errors import DataError
from sair_core.evaluation import l1, psnr, ssim
from sair_core.evaluation.baselines import mean
from sair_core.evaluation.metrics import gradient, l1_inside
from sair_core.evaluation.runner import PSNR_CAP_DB, Plan, evaluate, picture_strip
from sair_core.evaluation.samples import centre_square, drawn_masks, list_samples, masks_from_folder
from sair_core.evaluation.summary import gains, summarise
from tests.evaluation.conftest import SIZE_PX, pattern


def invert(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A careless method: spoils its arguments and known pixels as well."""
    photo[:] = 255 - photo
    mask[:] = False
    return photo


def a_plan(photo_folder, methods, **more) -> Plan:
    samples = list_samples(photo_folder)
    return Plan(methods=methods, samples=samples, masks=drawn_masks(0, SIZE_PX), size_px=SIZE_PX, **more)


def flat(found) -> list:
    return [record for records in found for record in records]


def test_records_hold_what_the_metrics_say_of_the_composite(photo_folder):
    records = flat(evaluate(a_plan(photo_folder, {"sair": invert, "mean": mean})))
    assert [(r.photo, r.bin, r.method) for r in records[:3]] == [
        ("a.png", "0-20", "sair"),
        ("a.png", "0-20", "mean"),
        ("a.png", "20-40", "sair"),
    ]
    assert len(records) == 3 * 3 * 2
    photo = centre_square(pattern(1), SIZE_PX)
    mask = drawn_masks(0, SIZE_PX)(1, 2)
    expected = {"sair": np.where(mask[..., None], 255 - mean(photo, mask), photo), "mean": mean(photo, mask)}
    for record in records:
        if (record.photo, record.bin) == ("b.png", "40-60"):
            result = expected[record.method]
            assert record.psnr_db == psnr(photo, result)
            assert record.ssim == ssim(photo, result)
            assert record.l1 == l1(photo, result)
            assert record.hole_share == mask.mean()
            assert record.lpips is None
            assert record.seconds > 0
    assert all((record.known_changed_px > 0) == (record.method == "sair") for record in records)


def test_perfect_fills_are_capped(photo_folder):
    truth = [centre_square(pattern(i), SIZE_PX) for i in range(3)]

    def know_all(photo, mask):
        return min(truth, key=lambda t: np.abs(t.astype(int) - photo)[~mask].sum())

    records = flat(evaluate(a_plan(photo_folder, {"sair": know_all})))
    assert {record.psnr_db for record in records} == {PSNR_CAP_DB}
    assert {record.l1 for record in records} == {0}


def test_no_method_sees_what_the_hole_hides(photo_folder):
    truth = [centre_square(pattern(i), SIZE_PX) for i in range(3)]

    def spy(photo, mask):
        assert (photo[mask] == photo[mask][0]).all()
        assert any(np.array_equal(photo[~mask], known[~mask]) for known in truth)
        return photo

    assert len(flat(evaluate(a_plan(photo_folder, {"sair": spy, "telea": spy})))) == 18


def test_workers_change_nothing_but_the_order(photo_folder):
    def key(record):
        return record.photo_index, record.bin, record.method, record.psnr_db, record.ssim

    plan = a_plan(photo_folder, {"sair": invert, "mean": mean})
    assert sorted(map(key, flat(evaluate(plan, workers=3)))) == sorted(map(key, flat(evaluate(plan))))


def test_an_unreadable_photo_is_left_out(photo_folder, caplog):
    (photo_folder / "b.png").write_bytes(b"not a picture")
    found = list(evaluate(a_plan(photo_folder, {"mean": mean})))
    assert [len(records) for records in found] == [3, 0, 3]
    assert "b.png" in caplog.text
    # The others keep their masks: they are numbered by the folder, not by what could be read.
    assert found[2][0].hole_share == drawn_masks(0, SIZE_PX)(2, 0).mean()


def test_results_of_another_shape_are_refused(photo_folder):
    with pytest.raises(DataError, match="'sair' returned"):
        next(evaluate(a_plan(photo_folder, {"sair": lambda photo, mask: photo[:-1]})))


def test_lpips_is_called_with_truth_and_composite(photo_folder):
    plan = a_plan(photo_folder, {"mean": mean}, lpips=lambda a, b: float((a != b).any(axis=-1).mean()))
    for record in flat(evaluate(plan)):
        assert 0 < record.lpips <= record.hole_share


def test_saved_masks_give_the_same_run_and_strips_are_written(photo_folder, tmp_path):
    folders = {"mask_folder": tmp_path / "m", "picture_folder": tmp_path / "p"}
    first = flat(evaluate(a_plan(photo_folder, {"mean": mean}, **folders)))
    assert len(list((tmp_path / "m").glob("*.png"))) == 9
    again = Plan(
        methods={"mean": mean},
        samples=list_samples(photo_folder),
        masks=masks_from_folder(tmp_path / "m", SIZE_PX),
        size_px=SIZE_PX,
    )
    assert [r.psnr_db for r in flat(evaluate(again))] == [r.psnr_db for r in first]
    strips = sorted((tmp_path / "p").glob("*.png"))
    assert len(strips) == 9
    with Image.open(strips[0]) as strip:
        assert strip.width > 3 * SIZE_PX  # photo, known, one method


def test_strip_shows_every_panel_unchanged():
    photo, mask = pattern(0, 32, 32), np.eye(32, dtype=bool)
    strip = np.asarray(picture_strip(photo, mask, {"x": 255 - photo}))
    assert np.array_equal(strip[-32:, :32], photo)
    assert (strip[-32:, 36:68][mask] == 255).all()
    assert np.array_equal(strip[-32:, -32:], 255 - photo)


def test_summary_and_gain(photo_folder):
    black = {"telea": lambda photo, mask: np.zeros_like(photo)}
    plan = a_plan(photo_folder, {"sair": mean, **black, "biharmonic": mean})
    records = flat(evaluate(plan))
    summaries = summarise(records)
    assert [(s.bin, s.method) for s in summaries[:4]] == [
        ("0-20", "sair"),
        ("0-20", "telea"),
        ("0-20", "biharmonic"),
        ("20-40", "sair"),
    ]
    rows = [r for r in records if (r.bin, r.method) == ("20-40", "telea")]
    summary = summaries[4]
    assert summary.photos == 3
    assert summary.psnr_db == pytest.approx(np.mean([r.psnr_db for r in rows]))
    assert summary.seconds == np.median([r.seconds for r in rows])
    found = gains(summaries, ("telea", "biharmonic"))
    assert [gain.bin for gain in found] == ["0-20", "20-40", "40-60"]
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
    records = flat(evaluate(a_plan(photo_folder, {"spn": two_greys, "mean": mean}, lpips=lpips)))
    photo, mask = centre_square(pattern(1), SIZE_PX), drawn_masks(0, SIZE_PX)(1, 2)
    first, second = two_greys(photo, mask)
    (record,) = [r for r in records if (r.photo, r.bin, r.method) == ("b.png", "40-60", "spn")]
    assert record.psnr_db == psnr(photo, first) < record.drawn.psnr_db == psnr(photo, second)
    assert record.drawn.samples == 2
    assert (record.drawn.ssim, record.drawn.l1) == (ssim(photo, second), l1(photo, second))
    assert record.drawn.diversity_l1 == l1_inside(first, second, mask) == pytest.approx(128 / 255)
    assert record.drawn.diversity_lpips == mask.mean()
    summary = [s for s in summarise(records) if (s.bin, s.method) == ("40-60", "spn")][0]
    best = [r.drawn.psnr_db for r in records if (r.bin, r.method) == ("40-60", "spn")]
    assert summary.drawn.psnr_db == pytest.approx(np.mean(best))
    assert all(r.drawn is None for r in records if r.method == "mean")


def test_one_sample_of_a_method_that_draws_is_like_any_other(photo_folder):
    one = flat(evaluate(a_plan(photo_folder, {"spn": lambda *both: two_greys(*both)[:1]})))
    assert all(record.drawn is None for record in one)
    with pytest.raises(DataError, match="'spn' returned"):
        next(evaluate(a_plan(photo_folder, {"spn": lambda *both: two_greys(*both)[:0]})))


def test_sharpness_is_the_gradient_filled_over_true(photo_folder):
    def halved(photo, mask):
        return np.where(mask[..., None], truth[int(photo[~mask].sum())] // 2, photo)

    truth = {}
    for i in range(3):
        photo = centre_square(pattern(i), SIZE_PX)
        truth |= {int(photo[~drawn_masks(0, SIZE_PX)(i, j)].sum()): photo for j in range(3)}
    records = flat(evaluate(a_plan(photo_folder, {"sair": halved, "mean": mean})))
    photo, mask = centre_square(pattern(0), SIZE_PX), drawn_masks(0, SIZE_PX)(0, 0)
    assert records[0].gradient_true == gradient(photo, mask) == records[1].gradient_true
    assert records[0].gradient == gradient(photo // 2, mask)
    for summary in summarise(records):
        assert summary.sharpness == pytest.approx(0.5 if summary.method == "sair" else 0, abs=0.02)
