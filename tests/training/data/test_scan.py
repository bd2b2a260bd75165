import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sair_core.errors import DataError
from sair_core.photos.folders import Classes
from sair_core.training.data.scan import scan

ROOT = Path(__file__).resolve().parents[3]


def picture(seed=0, size=(100, 80)):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))


@pytest.fixture
def mixed(tmp_path):
    """Three usable photos among everything that people's folders hold."""
    folder = tmp_path / "bilder ü 写真"
    folder.mkdir()
    picture(1).save(folder / "été 猫.jpg")
    picture(2).save(folder / "b.webp")
    grey = np.random.default_rng(3).integers(0, 65536, (90, 70), dtype=np.uint16)
    Image.fromarray(grey).save(folder / "sixteen.png")
    (folder / "copy.jpg").write_bytes((folder / "été 猫.jpg").read_bytes())
    (folder / "cut.jpg").write_bytes((folder / "été 猫.jpg").read_bytes()[:700])
    (folder / "text.jpg").write_text("this is no photo, but it says so at some length")
    (folder / "empty.png").write_bytes(b"")
    picture(4, (20, 500)).save(folder / "strip.png")
    picture(5).save(folder / "moving.gif", save_all=True, append_images=[picture(6)])
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "notes.txt").write_text("hello")
    (folder / "more").mkdir()
    return folder


def test_a_folder_may_be_named_twice_or_beside_one_that_it_lies_in(tmp_path):
    (tmp_path / "below").mkdir()
    for seed, name in enumerate(("a.jpg", "below/b.jpg")):
        picture(seed).save(tmp_path / name)
    once = scan([tmp_path])
    assert len(once.photos) == 2
    for folders in ([tmp_path] * 2, [tmp_path, tmp_path / "below"]):
        assert scan(folders).photos == once.photos and not scan(folders).skipped


def test_every_file_is_used_or_left_out_with_a_reason(mixed):
    kept = []
    found = scan([mixed], keep=kept.append)
    # The copy comes first by name; which of two same files stays does not matter.
    assert [p.name for p in found.photos] == ["b.webp", "copy.jpg", "sixteen.png"]
    assert [k.rgb.shape[:2] for k in kept] == list(found.sizes_px) == [(80, 100), (80, 100), (90, 70)]
    assert found.size_bytes == 3 * (80 * 100 * 2 + 90 * 70) and found.labelled == 0
    reasons = {s.path.name: s.reason for s in found.skipped}
    assert reasons.keys() == {"cut.jpg", "text.jpg", "empty.png", "strip.png", "loop.jpg", "été 猫.jpg"}
    for name, words in {
        "cut.jpg": "damaged",
        "text.jpg": "no readable photo",
        "empty.png": "empty",
        "strip.png": "20 x 500 px",
        "loop.jpg": "cannot be opened",
        "été 猫.jpg": "the same file as copy.jpg",
    }.items():
        assert words in reasons[name], reasons[name]
    assert found.others == {".gif": 1, ".txt": 1, "folders": 1}


def test_progress_is_told_with_every_file(mixed):
    calls = []
    scan([mixed], progress=lambda share, text: calls.append((share, text)))
    assert len(calls) == 8 and calls[0] == (1 / 8, "Opening photos: 1 of 8")  # one of nine is a copy
    assert calls[-1] == (1, "Opening photos: 8 of 8")


def test_the_summary_says_it(mixed):
    text = scan([mixed]).summary()
    assert text.startswith("3 photos, short side 70 to 80 px (median 80)")
    assert "6 left out:" in text and "and 1 more" in text and "1 .gif, 1 .txt, 1 folders" in text


def test_label_maps_are_counted_and_a_labelled_copy_is_preferred(tmp_path):
    plain, labelled = tmp_path / "plain", tmp_path / "labelled"
    for folder in (plain, labelled):
        folder.mkdir()
        picture(1).save(folder / "a.jpg")
    Image.new("L", (100, 80), 1).save(labelled / "a.png")
    picture(2).save(labelled / "b.jpg")
    Image.new("L", (100, 80), 9).save(labelled / "b.png")
    classes = Classes(("sky", "road"), ((), ()))
    kept = []
    found = scan([plain, labelled], classes, keep=kept.append)
    assert found.photos == (labelled / "a.jpg",) and found.labelled == 1 and (kept[0].ids == 1).all()
    reasons = [s.reason for s in found.skipped]
    assert reasons[0] == "the same file as a.jpg" and "holds ids [9]" in reasons[1]
    assert scan([plain, labelled]).labelled == 0  # without classes the maps are not read


def test_folders_without_a_usable_photo_say_what_was_found(tmp_path):
    with pytest.raises(DataError, match="It is empty"):
        scan([tmp_path])
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.txt").write_text("x")
    with pytest.raises(DataError, match=r"holds no photos. It holds 2 .txt"):
        scan([tmp_path])
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8 nothing")
    with pytest.raises(DataError, match="None of the 1 photo in .* can be used .a.jpg: "):
        scan([tmp_path])
    with pytest.raises(DataError, match="is not a folder"):
        scan([tmp_path / "nowhere"])
    with pytest.raises(DataError, match="is not a folder"):
        scan([tmp_path / "a.txt"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_photo_without_permission_is_left_out(tmp_path):
    picture(1).save(tmp_path / "a.jpg")
    picture(2).save(tmp_path / "b.jpg")
    (tmp_path / "b.jpg").chmod(0)
    found = scan([tmp_path])
    assert len(found.photos) == 1 and "permission" in found.skipped[0].reason.lower()


def test_permission_is_told_whoever_runs(tmp_path, monkeypatch):
    picture(1).save(tmp_path / "a.jpg")
    picture(2).save(tmp_path / "b.jpg")
    real = Path.open

    def refusing(path, *rest, **options):
        if path.name == "b.jpg":
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **options)

    monkeypatch.setattr(Path, "open", refusing)
    found = scan([tmp_path])
    assert [s.path.name for s in found.skipped] == ["b.jpg"] and "ermission" in found.skipped[0].reason


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no names here")
def test_a_pipe_and_what_macos_adds_are_not_opened(mixed):
    os.mkfifo(mixed / "pipe.jpg")  # whoever opens it waits for ever
    (mixed / "._b.webp").write_bytes(b"what macOS keeps beside a file")
    found = scan([mixed])
    assert [p.name for p in found.photos] == ["b.webp", "copy.jpg", "sixteen.png"]
    assert found.others[".jpg"] == found.others[".webp"] == 1
    assert not {"pipe.jpg", "._b.webp"} & {s.path.name for s in found.skipped}


def test_scanning_does_not_import_torch():
    code = "import sys, sair_core.training.data.scan; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
