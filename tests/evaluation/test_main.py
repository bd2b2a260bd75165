import json

import numpy as np
import pytest

from sair_core.errors import MissingDependencyError, SairError
from sair_core.evaluation import __main__ as cli
from sair_core.evaluation import measure
from sair_core.evaluation.baselines import BASELINES, mean
from sair_core.filling.result import FillResult
from sair_core.photos.photo import load_photo
from tests.evaluation.conftest import SIZE_PX


def half_mean(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Somewhat worse than the mean."""
    filled = mean(photo, mask)
    filled[mask] //= 2
    return filled


@pytest.fixture(autouse=True)
def no_networks(monkeypatch):
    def unavailable() -> None:
        raise MissingDependencyError("no weights here.")

    for name in ("load_lpips", "load_inception", "load_features"):
        monkeypatch.setattr(measure, name, unavailable)


def arguments(photo_folder, *more: str) -> list[str]:
    return ["--data", str(photo_folder), "--size", str(SIZE_PX), *more]


FAKES = {"sair": mean, "telea": half_mean, "navier-stokes": half_mean}


def test_table_gain_and_json(photo_folder, tmp_path, capsys):
    target = tmp_path / "out" / "result.json"
    status = cli.main(arguments(photo_folder, "--json", str(target)), FAKES)
    out = capsys.readouterr().out
    assert status == 0
    assert "LPIPS unavailable: no weights here." in out
    assert "gain over best baseline, 40-60 %:" in out
    assert f"photos: 3 of 3, {SIZE_PX} px" in out
    assert all(word in out for word in ("seconds per fill", "torch:", "date:", "processor:"))
    result = json.loads(target.read_text())
    assert result["complete"] and result["photos"] == 3 and result["seed"] == 0
    assert len(result["fills"]) == 3 * 3 * 5 and len(result["summary"]) == 4 * 5
    assert result["lpips"].startswith("LPIPS unavailable")
    assert {fill["lpips"] for fill in result["fills"]} == {None}
    by_key = {(row["bin"], row["method"]): row for row in result["summary"]}
    for gain in result["gain_over_best_baseline"]:
        best = max(by_key[gain["bin"], name]["whole"]["psnr_db"] for name in BASELINES)
        assert gain["psnr_db"] == pytest.approx(by_key[gain["bin"], "sair"]["whole"]["psnr_db"] - best)
    assert set(result["seconds_per_fill"]) == {"sair", *BASELINES}


def test_same_seed_same_figures_and_a_limit_changes_no_mask(photo_folder, tmp_path):
    def fills(name: str, *more: str) -> dict:
        target = tmp_path / name
        options = ("--methods", "sair", "--json", str(target), *more)
        assert cli.main(arguments(photo_folder, *options), {"sair": mean}) == 0
        rows = json.loads(target.read_text())["fills"]
        return {(row["photo"], row["bin"]): (row["hole_share"], row["whole"]["psnr_db"]) for row in rows}

    whole = fills("whole.json")
    assert fills("again.json", "--workers", "2") == whole
    limited = fills("limited.json", "--limit", "2")
    assert limited == {key: whole[key] for key in limited} and len(limited) == 6
    assert fills("other.json", "--seed", "1") != whole


def test_bins_of_ten_percent_are_repeated_by_the_manifest(photo_folder, tmp_path, capsys):
    manifest, first, again = (tmp_path / f"{name}.json" for name in ("manifest", "first", "again"))
    options = ("--methods", "mean", "--json")
    whole = (*options, str(first), "--bin-percent", "10", "--save-manifest", str(manifest))
    assert cli.main(arguments(photo_folder, *whole)) == 0
    assert cli.main(arguments(photo_folder, *options, str(again), "--manifest", str(manifest))) == 0
    runs = [json.loads(path.read_text()) for path in (first, again)]
    assert [row["bin"] for row in runs[0]["summary"]] == [*(f"{n}-{n + 10}" for n in range(0, 60, 10)), "all"]
    shares = {fill["bin"]: fill["hole_share"] for fill in runs[0]["fills"]}
    assert all(int(b.split("-")[0]) <= 100 * share <= int(b.split("-")[1]) for b, share in shares.items())
    for run in runs:
        for one in (*run["fills"], *run["summary"]):
            one.pop("seconds")
    assert runs[0]["fills"] == runs[1]["fills"] and runs[0]["summary"] == runs[1]["summary"]
    assert cli.main(arguments(photo_folder, "--bin-percent", "7")) == 2


def test_ctrl_c_prints_what_is_done(photo_folder, tmp_path, capsys):
    calls = []

    def interrupted(photo, mask):
        calls.append(1)
        if len(calls) == 5:  # in the second photo
            raise KeyboardInterrupt
        return mean(photo, mask)

    target = tmp_path / "r.json"
    options = ("--methods", "sair", "--json", str(target))
    assert cli.main(arguments(photo_folder, *options), {"sair": interrupted}) == 130
    assert "Stopped early" in capsys.readouterr().out
    result = json.loads(target.read_text())
    assert not result["complete"] and {fill["photo"] for fill in result["fills"]} == {"a.png"}


def test_an_error_of_a_method_keeps_what_is_done(photo_folder, capsys):
    calls = []

    def failing(photo, mask):
        calls.append(1)
        if len(calls) == 4:
            raise SairError("out of luck")
        return mean(photo, mask)

    assert cli.main(arguments(photo_folder, "--methods", "sair"), {"sair": failing}) == 1
    captured = capsys.readouterr()
    assert "error: out of luck" in captured.err and "photos: 1 of 3" in captured.out


def test_altered_known_pixels_are_told(photo_folder, capsys):
    cli.main(arguments(photo_folder, "--methods", "sair"), {"sair": lambda photo, mask: 255 - photo})
    out = capsys.readouterr().out
    assert "Pixels outside the hole were altered (and put back before measuring) by: sair" in out


@pytest.mark.parametrize(
    "options, message",
    [
        (("--masks", "nowhere"), "no PNG mask"),
        (("--size", "8"), "size"),
        (("--workers", "0"), "workers"),
        (("--samples", "0"), "samples"),
        (("--resume",), "--resume needs --save-fills"),
        (("--resume", "--save-fills", "x", "--samples", "2"), "one sample of a hole only"),
        (("--samples", "5"), "needs a model that draws"),
        (("--methods", "magic"), "got 'magic'"),
        (("--seed", "0.5"), "--seed must be a whole number, got '0.5'"),
    ],
)
def test_wrong_arguments_end_with_a_message(photo_folder, capsys, options, message):
    assert cli.main(arguments(photo_folder, *options), FAKES) == 2
    assert message in capsys.readouterr().err


def test_missing_opencv_ends_with_a_message(photo_folder, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    assert cli.main(arguments(photo_folder), {"sair": mean}) == 2
    assert "pip install opencv-python-headless" in capsys.readouterr().err


def test_the_model_goes_through_the_pipeline(photo_folder, monkeypatch, capsys):

    import sair_core.pipeline as pipeline

    class FakePipeline:
        device = "cpu"

        @classmethod
        def from_pretrained(cls, name, *, device, texture):
            assert (name, device, texture) == ("some-model", "cpu", False)  # the row of the model alone
            return cls()

        def fill(self, photo, mask, *, seed):
            assert photo.mode == "RGB" and mask.dtype == bool
            return FillResult(load_photo(mean(photo.rgb, mask)), mask, 0.1, seed)

    monkeypatch.setattr(pipeline, "InpaintPipeline", FakePipeline)
    options = ("--model", "some-model", "--device", "cpu", "--methods", "sair", "mean")
    assert cli.main(arguments(photo_folder, *options)) == 0
    out = capsys.readouterr().out
    assert "device: cpu" in out and "altered" not in out


def test_every_degradation_is_a_row(photo_folder, tmp_path, capsys):
    target = tmp_path / "r.json"
    options = (
        "--methods",
        "mean",
        "--degrade",
        "none",
        "noise:0.1",
        "blur:2",
        "scale:4",
        "--json",
        str(target),
    )
    assert cli.main(arguments(photo_folder, *options)) == 0
    result = json.loads(target.read_text())
    assert result["degrade"] == ["none", "noise:0.1", "blur:2", "scale:4"]
    rows = {row["method"]: row["whole"]["psnr_db"] for row in result["summary"] if row["bin"] == "all"}
    assert list(rows) == ["mean", "mean noise:0.1", "mean blur:2", "mean scale:4"]
    assert rows["mean"] > max(list(rows.values())[1:])
    assert "mean noise:0.1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options, message",
    [
        (("--degrade", "fog:1"), "'fog:1' is no degradation"),
        (("--degrade", "blur:2", "--masks", "ellipses"), "--degrade is for photos of one size"),
    ],
)
def test_degradations_that_cannot_be_are_refused(photo_folder, options, message, capsys):
    assert cli.main(["--data", str(photo_folder), *options]) == 2
    assert message in capsys.readouterr().err


def test_an_spn_beside_a_sair(photo_folder, tmp_path, monkeypatch, capsys):
    """The real pipeline around an untrained SPN; the SAIR is a stand-in."""
    import torch

    from sair_core.models.presets import spn_preset
    from sair_core.models.spn import Spn

    torch.manual_seed(0)
    Spn(spn_preset("tiny", probabilistic=True)).save_pretrained(tmp_path / "spn")
    options = ("--methods", "sair", "spn", "--spn", str(tmp_path / "spn"), "--samples", "3", "--limit", "1")
    target = tmp_path / "r.json"
    arguments_ = arguments(photo_folder, *options, "--device", "cpu", "--json", str(target))
    assert cli.main(arguments_, {"sair": mean}) == 0
    out = capsys.readouterr().out
    assert "gradients" in out and "best of" in out and "altered" not in out
    result = json.loads(target.read_text())
    assert result["samples"] == 3 and result["spn"] == str(tmp_path / "spn")
    by_method = {row["method"]: row for row in result["summary"] if row["bin"] == "20-40"}
    assert by_method["sair"]["drawn"] is None and by_method["sair"]["hole"]["gradients"] > 0
    drawn = by_method["spn"]["drawn"]
    assert drawn["samples"] == 3 and drawn["diversity_l1"] > 0 and drawn["diversity_lpips"] is None
    assert drawn["psnr_db"] >= by_method["spn"]["whole"]["psnr_db"]


def test_features_that_are_missing_are_no_numbers(photo_folder, tmp_path, capsys):
    target = tmp_path / "r.md"
    assert cli.main(arguments(photo_folder, "--methods", "mean", "--markdown", str(target))) == 0
    out = capsys.readouterr().out
    assert "Fréchet and distance unavailable: no weights here." in out and "not installed" in out
    assert target.read_text().count("| not installed | not installed |") == 2 * 4


def test_objects_keep_their_photos_size(photo_folder, tmp_path, capsys, monkeypatch):
    sizes = set()

    def look(photo, mask):
        sizes.add((photo.shape, mask.shape))
        return mean(photo, mask)

    options = ["--data", str(photo_folder), "--masks", "objects", "--methods", "sair"]
    assert cli.main(options, {"sair": look}) == 0
    assert sizes == {((60, 72, 3), (60, 72))}
    assert "photos: 3 of 3, their own size; masks: objects, seed 0" in capsys.readouterr().out
    assert cli.main([*options, "--size", "64"], {"sair": look}) == 2
    assert cli.main(arguments(photo_folder, "--agreement", "--methods", "mean")) == 2
    assert "--agreement is for photos of their own size" in capsys.readouterr().err


def test_a_manifest_repeats_a_run(photo_folder, tmp_path, capsys):
    def figures(*options: str) -> list:
        json_file = str(tmp_path / "r.json")
        status = cli.main(["--data", str(photo_folder), "--methods", "mean", "--json", json_file, *options])
        assert status == 0, capsys.readouterr().err
        fills = json.loads((tmp_path / "r.json").read_text())["fills"]
        return [{name: value for name, value in fill.items() if name != "seconds"} for fill in fills]

    manifest = str(tmp_path / "m.json")
    first = figures("--masks", "objects", "--seed", "5", "--limit", "2", "--save-manifest", manifest)
    assert len(first) == 2 and figures("--manifest", manifest) == first
    (photo_folder / "a.png").write_bytes((photo_folder / "b.png").read_bytes())
    assert cli.main(["--data", str(photo_folder), "--manifest", manifest, "--methods", "mean"]) == 2
    assert "another photo than the manifest's" in capsys.readouterr().err


def test_methods_of_others_in_the_same_table(photo_folder, tmp_path, capsys):
    fills = str(tmp_path / "fills")
    options = ("--methods", "mean", "--limit", "1")
    assert cli.main(arguments(photo_folder, *options, "--save-fills", fills)) == 0
    others = ("--method", f"copy={fills}/mean", "bad=no-such-program {photo} {mask} {output}")
    assert cli.main(arguments(photo_folder, *options, *others)) == 1  # some failed
    out = capsys.readouterr().out
    assert "bad failed on 3 holes: it cannot be run" in out
    rows = [line.split() for line in out.splitlines()]
    # In two tables: three bins that failed, and three that did not and all of them together.
    assert sum(row[:2] == ["bad", "failed"] and row[-1] == "0" for row in rows) == 2 * 3
    assert sum(row[:1] == ["copy"] and row[-1] == "1" for row in rows) == 2 * 4
    assert cli.main(arguments(photo_folder, *options, "--method", f"mean={fills}/mean")) == 2
