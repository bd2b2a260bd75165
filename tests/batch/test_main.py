"""The command, with a model that is there at once: what it writes, skips, survives and says."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from sair_core.batch import __main__ as cli
from sair_core.batch.jobs import Job, find_jobs
from sair_core.batch.report import Line, Report
from sair_core.files import find_leftovers, replacing
from sair_core.photos.photo import load_photo
from tests.app.fakes import WAIT_SECONDS, street
from tests.batch.conftest import SIZES

ROOT = Path(__file__).parents[2]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_names_formats_and_known_pixels_are_kept(folders, capsys):
    assert folders.run() == 0
    formats = {"a.png": "PNG", "b.jpg": "JPEG", "c.webp": "WEBP", "d.tif": "TIFF", "e.bmp": "BMP"}
    assert {f.name for f in folders.out.iterdir()} == {*formats, "report.jsonl"}
    for name, format in formats.items():
        assert Image.open(folders.out / name).format == format
        before, after = pixels(folders.photos / name), pixels(folders.out / name)
        known = np.ones(before.shape[:2], bool)
        known[:10, 5:15] = False
        assert (after[~known] != before[~known]).any()
        if format in ("PNG", "TIFF", "BMP"):
            np.testing.assert_array_equal(after[known], before[known])
    report = folders.report()
    assert list(report) == sorted(formats) and set(folders.statuses()) == {"done"}
    assert all(line["seconds"] > 0 and line["reason"] == "" for line in report.values())
    assert "5 done, 0 skipped, 0 failed; the report is" in capsys.readouterr().out


def test_a_bad_file_is_reported_and_stops_nothing(folders, capsys):
    (folders.photos / "broken.png").write_bytes(b"no photo")
    folders.add("lonely.png", 20, 20)
    (folders.masks / "lonely.png").unlink()
    folders.add("bug.png", 13, 13)
    folders.add("wide.png", 30, 60)
    Image.new("L", (60, 60), 255).save(folders.masks / "wide.png")
    (folders.masks / "broken.png").write_bytes((folders.masks / "a.png").read_bytes())
    assert folders.run() == 1
    report = folders.report()
    assert {name for name, line in report.items() if line["status"] == "done"} == set(SIZES)
    reasons = {
        "broken.png": "no readable photo",
        "lonely.png": "no mask named lonely",
        "bug.png": "RuntimeError: a bug",
        "wide.png": "Use a mask of the photo's size",
    }
    error = capsys.readouterr().err
    for name, reason in reasons.items():
        assert report[name]["status"] == "failed" and reason in report[name]["reason"]
        assert f"{name}: " in error and not (folders.out / name).exists()


def test_what_is_done_is_skipped_until_something_changes(folders):
    def redone(*more: str, **model: object) -> list[str]:
        assert folders.run(*more, **model) == 0
        return [name for name, line in folders.report().items() if line["status"] == "done"]

    assert redone() == sorted(SIZES)
    times = {f.name: f.stat().st_mtime_ns for f in folders.out.glob("?.*")}
    assert redone() == [] and redone() == []  # what was skipped is remembered, too
    assert times == {f.name: f.stat().st_mtime_ns for f in folders.out.glob("?.*")}
    assert folders.fills() == 5
    folders.add("b.jpg", 41, 62)
    assert redone() == ["b.jpg"]
    Image.new("L", (60, 40), 0).save(folders.masks / "a.png")
    mask = np.zeros((40, 60), np.uint8)
    mask[20:30, 20:30] = 255
    Image.fromarray(mask).save(folders.masks / "a.png")
    assert redone() == ["a.png"]
    (folders.out / "c.webp").unlink()
    assert redone() == ["c.webp"]
    assert redone("--quality", "80") == sorted(SIZES)
    assert redone("--quality", "80", name="b") == sorted(SIZES)
    assert redone("--quality", "80", "--fill-with", "car", name="b") == sorted(SIZES)
    assert redone("--quality", "80", "--fill-with", "car", "--again", name="b") == sorted(SIZES)


def test_a_model_is_not_loaded_for_nothing(folders):
    assert folders.run(name="broken") == 2
    assert folders.run() == 0
    report = Report(folders.out)
    for name, line in list(report.known.items()):  # as if the broken one had made them
        report.add(Line(name, "done", key=_key(folders, name, "broken")))
        assert line.status == "done"
    assert folders.run(name="broken") == 0 and set(folders.statuses()) == {"skipped"}


def _key(folders, name, model):
    from sair_core.batch.config import BatchConfig
    from sair_core.batch.work import Worker
    from tests.batch.fakes import FakeModel

    config = BatchConfig(image=folders.photos, output=folders.out, mask=folders.masks)
    mask = folders.masks / f"{name.split('.')[0]}.png"
    return Worker(config, FakeModel(name=model)).key(Job(folders.photos / name, mask))


def test_a_killed_run_goes_on_where_it_was(folders):
    code = (
        "import sys\nfrom pathlib import Path\nfrom sair_core.batch.__main__ import main\n"
        "from tests.batch.fakes import FakeModel\n"
        f"sys.exit(main(sys.argv[1:], FakeModel(log=Path({str(folders.log)!r}), kill_at=3)))\n"
    )
    command = [sys.executable, "-c", code, *folders.arguments()]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=300).returncode == -9
    assert folders.statuses() == ["done"]  # b.jpg was being written while c.webp was filled
    (folders.out / ".c.webp.12345").write_bytes(b"half of a picture")
    with (folders.out / "report.jsonl").open("a") as file:
        file.write('{"name": "c.webp", "sta')  # killed in the middle of a line
    assert folders.run() == 0
    assert folders.statuses() == ["skipped", "done", "done", "done", "done"]
    assert {f.name for f in folders.out.iterdir()} == {*SIZES, "report.jsonl"}
    assert folders.fills() == 7  # b.jpg and c.webp were begun twice


def test_a_result_is_there_whole_or_not_at_all(folders, monkeypatch):
    write = Path.write_bytes

    def full_disk(path, data):
        if ".b.jpg." in path.name:
            write(path, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    assert folders.run() == 1
    assert "No space left" in folders.report()["b.jpg"]["reason"]
    assert {f.name for f in folders.out.iterdir()} == {*SIZES, "report.jsonl"} - {"b.jpg"}


def test_ctrl_c_keeps_the_report(folders, monkeypatch, capsys):
    from tests.batch import fakes

    def interrupted(self, photo, mask, **options):
        if photo.size_px == SIZES["c.webp"]:
            raise KeyboardInterrupt
        return fill(self, photo, mask, **options)

    fill = fakes.LoggedPipeline.fill
    monkeypatch.setattr(fakes.LoggedPipeline, "fill", interrupted)
    assert folders.run() == 130
    assert folders.statuses() == ["done", "done"] and "2 done" in capsys.readouterr().out


def test_words_say_what_is_filled(folders):
    Image.new("RGB", (60, 40), (90, 150, 230)).save(folders.photos / "only-sky.png")
    assert folders.run("--words", "Car") == 0
    before, after = street(40, 60), pixels(folders.out / "a.png")
    cars = (before == (200, 40, 40)).all(axis=-1)
    assert (after[cars] != before[cars]).any() and np.array_equal(after[~cars], before[~cars])
    line = folders.report()["only-sky.png"]
    assert line["status"] == "done" and line["reason"] == "nothing to fill: the photo shows no Car"
    np.testing.assert_array_equal(pixels(folders.out / "only-sky.png"), [[[90, 150, 230]] * 60] * 40)


def test_a_photo_with_a_black_mask_is_written_as_it_is(folders):
    Image.new("L", (60, 40)).save(folders.masks / "a.png")
    assert folders.run() == 0
    assert folders.report()["a.png"]["reason"] == "nothing to fill: the mask is black"
    np.testing.assert_array_equal(pixels(folders.out / "a.png"), street(40, 60))


def test_words_reach_the_fill(folders):
    assert folders.run("--fill-with", "car") == 0
    assert np.abs(pixels(folders.out / "a.png")[:10, 5:15] - (200, 40, 40)).max() <= 1


def test_one_mask_for_all(folders):
    Image.fromarray(street(40, 60)[..., 0]).save(folders.root / "one.png")
    assert folders.run("--mask", str(folders.root / "one.png")) == 1  # of another size than most
    assert folders.report()["a.png"]["status"] == "done" and folders.statuses().count("failed") >= 3


def test_the_place_is_left_out_unless_asked_for(folders):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    for name in ("a.png", "b.jpg", "d.tif"):
        file = io.BytesIO()
        image = Image.open(folders.photos / name)
        image.save(file, image.format, exif=exif.tobytes())
        (folders.photos / name).write_bytes(file.getvalue())
    for more, kept in (((), False), (("--keep-gps",), True)):
        assert folders.run(*more) == 0
        for name in ("a.png", "b.jpg", "d.tif"):
            written = Image.open(folders.out / name).getexif()
            assert written[ExifTags.Base.Make] == "Camera"
            assert bool(written.get_ifd(ExifTags.IFD.GPSInfo)) == kept, name


def test_a_photo_with_a_wrong_suffix_keeps_name_and_format(folders):
    (folders.photos / "b.jpg").write_bytes((folders.photos / "a.png").read_bytes())
    Image.new("RGB", (60, 40)).save(folders.photos / "a.png", "GIF")
    (folders.masks / "b.png").write_bytes((folders.masks / "a.png").read_bytes())
    assert folders.run() == 0
    assert Image.open(folders.out / "b.jpg").format == "PNG"
    assert Image.open(folders.out / "a.png").format == "PNG"  # no GIF is written: what the name says


def test_masks_beside_their_photos(folders):
    from sair_core.batch.config import BatchConfig

    (folders.photos / "b.png").write_bytes((folders.masks / "b.png").read_bytes())
    config = BatchConfig(image=folders.photos, output=folders.out, mask=folders.photos)
    masks = {job.name: job.mask for job in find_jobs(config).jobs}
    assert masks["b.jpg"] == folders.photos / "b.png"
    assert masks["a.png"] is None  # a photo is no mask of its own


def test_a_mask_among_the_photos_is_no_photo(folders, capsys):
    (folders.photos / "one.png").write_bytes((folders.masks / "a.png").read_bytes())
    assert folders.run("--mask", str(folders.photos / "one.png")) == 1  # of another size than most
    assert folders.report()["one.png"]["status"] == "left out" and not (folders.out / "one.png").exists()
    assert "left out: one.png (a mask)" in capsys.readouterr().out


def test_names_of_any_bytes_length_and_spelling(folders):
    names = [b"\x8e\xca\x90^.jpg", b"n" * 251 + b".jpg", "cafe\u0301.jpg".encode(), b"line\nbreak.jpg"]
    for name in names:
        (folders.photos / os.fsdecode(name)).write_bytes((folders.photos / "b.jpg").read_bytes())
        mask = os.fsdecode(name).replace("e\u0301", "\u00e9").removesuffix(".jpg") + ".png"
        (folders.masks / mask).write_bytes((folders.masks / "b.png").read_bytes())
    assert folders.run() == 0
    assert {*names, b"report.jsonl"} <= set(os.listdir(os.fsencode(folders.out)))
    assert set(map(os.fsdecode, names)) <= set(folders.report())
    assert folders.run() == 0 and set(folders.statuses()) == {"skipped"}


def test_leftovers_of_long_names_are_found(tmp_path):
    name = "n" * 251 + ".jpg"
    (tmp_path / replacing(tmp_path / name).temporary.name).touch()
    assert len(find_leftovers(tmp_path, {name})) == 1 and not find_leftovers(tmp_path, {"other.jpg"})


def test_a_mask_that_is_no_file_is_none(folders):
    make = {"a": os.mkfifo, "b": Path.mkdir, "c": lambda path: path.symlink_to("/dev/zero")}
    for stem, make_special in make.items():
        (folders.masks / f"{stem}.png").unlink()
        make_special(folders.masks / f"{stem}.png")
    assert folders.run() == 1
    report = folders.report()
    assert {name for name, line in report.items() if line["status"] == "done"} == {"d.tif", "e.bmp"}
    assert all("There is no mask named" in report[name]["reason"] for name in ("a.png", "b.jpg", "c.webp"))


def test_a_mask_may_lie_as_its_photo_is_stored(folders):
    """As programs write it that pass over EXIF."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.open(folders.photos / "b.jpg").save(folders.photos / "b.jpg", exif=exif)
    assert folders.run() == 0
    before, after = (np.asarray(load_photo(path / "b.jpg").rgb) for path in (folders.photos, folders.out))
    changed = np.abs(before.astype(int) - after).max(axis=2) > 60
    rows, columns = np.nonzero(changed)
    # Rows 0 to 9 and columns 5 to 14 of what is stored, a quarter turned.
    assert changed.shape == (60, 41) and rows.min() >= 4 and rows.max() <= 15 and columns.min() >= 30


def test_a_result_that_cannot_take_its_place_is_said_in_words(folders):
    (folders.out / "a.png").mkdir(parents=True)
    assert folders.run("--overwrite") == 1
    reason = folders.report()["a.png"]["reason"]
    assert "a.png cannot be written (Is a directory). Choose another folder" in reason
    assert folders.statuses().count("done") == 4


@pytest.mark.parametrize("which", ["photos", "out"])
def test_a_link_in_a_circle_is_no_folder(folders, which, capsys):
    link = folders.root / "circle"
    link.symlink_to(link)
    setattr(folders, which, link)
    assert folders.run() == 2
    assert f"{link} " in capsys.readouterr().err


def test_all_that_a_folder_holds_is_done_or_named(folders, capsys):
    for suffix in ("jfif", "jpe", "JPG"):
        (folders.photos / f"f.{suffix}").write_bytes((folders.photos / "b.jpg").read_bytes())
    (folders.masks / "f.JFIF").write_bytes((folders.masks / "b.png").read_bytes())
    (folders.photos / "lost.jpg").symlink_to("nowhere.jpg")
    (folders.photos / "loop.jpg").symlink_to("loop.jpg")
    (folders.photos / "empty.jpg").touch()
    os.mkfifo(folders.photos / "pipe.jpg")
    others = {"._b.jpg", "notes.txt", "pipe.jpg", "below", "g.tga", "IMG_1.CR2"}
    (folders.photos / "IMG_1.CR2").touch()
    (folders.photos / "._b.jpg").write_bytes(b"\0\5\x16\7")
    (folders.photos / "notes.txt").touch()
    (folders.photos / "below").mkdir()
    Image.new("RGB", (3, 3)).save(folders.photos / "g.tga")
    Image.new("L", (3, 3)).save(folders.masks / "nobody.png")
    folders.out = folders.photos / "out"
    assert folders.run() == 1
    by_status: dict[str, set[str]] = {}
    for name, line in folders.report().items():
        by_status.setdefault(line["status"], set()).add(name)
    assert by_status["done"] == {*SIZES, "f.jfif", "f.jpe", "f.JPG"}
    assert by_status["failed"] == {"lost.jpg", "loop.jpg", "empty.jpg"} and by_status["left out"] == others
    said = capsys.readouterr().out
    assert "IMG_1.CR2 (a format that is not read: convert it" in said
    assert all(name in said for name in others) and "masks without a photo: nobody.png" in said
    assert Image.open(folders.out / "f.jfif").format == "JPEG"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--mask", "nowhere"), "no folder and no file nowhere"),
        (("--words", " , "), "No label was given"),
        (("--quality", "0"), "from 1 to 100"),
        (("--quality", "high"), "--quality must be a whole number, got 'high'"),
        (("--runner", "magic"), "--runner must be local or ray, got 'magic'"),
        (("--engine", "ray"), "who does the jobs, give --runner ray"),
        (("--strength", "2"), "--strength must be from 0 to 1"),
        (("--seed", "-1"), "--seed must not be negative"),
        (("--seed", "4294967296"), "--seed must be at most 4294967295"),
        (("--max-megapixels", "0"), "above 0"),
        (("--max-megapixels", "300"), "at most 178"),
    ],
)
def test_wrong_commands_end_with_a_message_and_2(folders, capsys, more, message):
    assert folders.run(*more) == 2
    assert message in capsys.readouterr().err and not folders.out.exists()


def test_texture_comes_from_the_masks_of_a_source(folders, capsys):
    sources = folders.root / "sources"
    sources.mkdir()
    for name, (height, width) in SIZES.items():
        source = np.zeros((height, width), bool)
        source[-5:, -5:] = True
        Image.fromarray(source).save(sources / f"{name.split('.')[0]}.png")
    assert folders.run("--source", str(sources)) == 0
    before, after = (np.asarray(Image.open(folder / "a.png")) for folder in (folders.photos, folders.out))
    assert (after[:10, 5:15] == before[-5:, -5:].reshape(-1, 3).mean(axis=0).round()).all()
    assert folders.report()["a.png"]["reason"] == "taken from the source"
    assert folders.run("--source", str(sources)) == 0 and set(folders.statuses()) == {"skipped"}
    Image.new("1", (60, 40), 1).save(sources / "a.png")
    (sources / "b.png").unlink()
    assert folders.run("--source", str(sources)) == 1
    found = folders.report()
    assert found["a.png"]["status"] == "done" and found["d.tif"]["status"] == "skipped"
    assert "no mask named b in" in found["b.jpg"]["reason"]


@pytest.mark.parametrize(
    "more",
    [
        ("--seed", "1"),
        ("--texture", "no"),
        ("--engine", "smooth"),
        ("--fill-with", "road", "--strength", "0.5"),
    ],
)
def test_other_options_are_other_results(folders, more):
    assert folders.run() == 0 and folders.run(*more) == 0
    assert set(folders.statuses()) == {"done"} and folders.fills() == 2 * len(SIZES)
    assert folders.run(*more) == 0 and set(folders.statuses()) == {"skipped"}


def test_the_engine_fills(folders, lama_file):
    options = folders.arguments("--engine", str(lama_file), "--device", "cpu")
    assert cli.main(options) == 0 and set(folders.statuses()) == {"done"}
    before, after = (np.asarray(Image.open(folder / "a.png")) for folder in (folders.photos, folders.out))
    assert (after[10:] == before[10:]).all() and (after[:10, 5:15] != before[:10, 5:15]).any()


def test_folders_that_cannot_be(folders, tmp_path, capsys):
    folders.out = folders.photos
    assert folders.run() == 2 and "overwritten" in capsys.readouterr().err
    folders.out = folders.masks
    assert folders.run() == 2 and "where the masks are" in capsys.readouterr().err
    folders.out = tmp_path / "out"
    folders.photos = tmp_path / "none"
    assert folders.run() == 2 and "not a folder" in capsys.readouterr().err
    assert cli.main(["--image", "a", "--output", "b"]) == 2
    assert cli.main([*folders.arguments(), "--workers", "-1"]) == 2


def test_files_from_elsewhere_are_not_overwritten(folders, capsys):
    folders.out.mkdir()
    (folders.out / "b.jpg").write_bytes(b"a holiday")
    assert folders.run() == 2 and "holds b.jpg, which no run" in capsys.readouterr().err
    assert [f.name for f in folders.out.iterdir()] == ["b.jpg"]
    assert (folders.out / "b.jpg").read_bytes() == b"a holiday"
    assert folders.run("--overwrite") == 0 and set(folders.statuses()) == {"done"}
    assert folders.run("--again") == 0  # its own files are no longer from elsewhere


def test_results_may_lie_beside_the_folder_of_masks(folders):
    from sair_core.batch.config import BatchConfig

    above = folders.masks.parent
    assert BatchConfig(image=folders.photos, output=above, mask=folders.masks).output == above


def test_a_missing_ray_says_how_to_get_it(folders, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert folders.run("--runner", "ray") == 2
    assert "pip install 'ray[data]'" in capsys.readouterr().err


def test_the_next_photo_is_opened_and_the_last_one_written_while_one_is_filled(folders, monkeypatch):
    from sair_core.batch import work
    from tests.batch import fakes

    steps: list[tuple[str, tuple[int, int]]] = []
    seen = threading.Condition()

    def note(step: str, size_px: tuple[int, int]) -> None:
        with seen:
            steps.append((step, size_px))
            seen.notify_all()

    def filled(self, photo, mask, **options):
        at = list(SIZES.values()).index(photo.size_px)
        around = {("open", size) for size in [*SIZES.values()][at + 1 : at + 2]}
        around |= {("write", size) for size in [*SIZES.values()][max(0, at - 1) : at]}
        with seen:  # would wait in vain if one step came after the other
            assert seen.wait_for(lambda: around <= set(steps), WAIT_SECONDS)
        return fill(self, photo, mask, **options)

    def opened(path, **options):
        photo = load(path, **options)
        note("open", photo.size_px)
        return photo

    def encoded(image, *arguments, **options):
        note("write", image.size_px)
        return encode(image, *arguments, **options)

    fill, load, encode = fakes.LoggedPipeline.fill, work.load_photo, work.encode_image
    monkeypatch.setattr(fakes.LoggedPipeline, "fill", filled)
    monkeypatch.setattr(work, "load_photo", opened)
    monkeypatch.setattr(work, "encode_image", encoded)
    assert folders.run() == 0 and folders.statuses() == ["done"] * len(SIZES)
    assert [size for step, size in steps if step == "write"] == list(SIZES.values())
