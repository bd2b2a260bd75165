import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from sair_core.errors import DataError
from sair_core.photos.folders import (
    find_label_map,
    list_labelled_photos,
    list_photos,
    read_classes,
    read_label_map,
    spread_groups,
)
from sair_core.photos.photo import load_photo
from sair_core.photos.reader import read_orientation


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.JPG", "c.png", "b.png", "below/d.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L" if name == "b.png" else "RGB", (4, 3)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no photo")
    return tmp_path


def names(paths):
    return [p.name for p in paths]


def test_photos_are_sorted_and_label_maps_left_out(folder):
    assert names(list_photos([folder])) == ["a.JPG", "b.jpg", "c.png"]
    assert names(list_photos([folder], recursive=True)) == ["a.JPG", "b.jpg", "d.webp", "c.png"]


def test_folders_without_photos_are_named(tmp_path):
    with pytest.raises(DataError, match="not a folder"):
        list_photos([tmp_path / "none"])
    with pytest.raises(DataError, match="holds no photos"):
        list_photos([tmp_path])
    with pytest.raises(DataError, match="no photo with a label map"):
        Image.new("RGB", (3, 3)).save(tmp_path / "alone.jpg")
        list_labelled_photos(tmp_path)


def test_photos_with_label_maps(folder):
    assert [(p.name, m.name) for p, m in list_labelled_photos(folder)] == [("b.jpg", "b.png")]


def test_classes_are_found_in_the_folder_or_above(tmp_path):
    entry = {"id": 1, "name": "car", "synonyms": ["automobile"]}
    content = {"partial_sources": ["ccp"], "classes": [entry, {"id": 0, "name": "sky"}]}
    (tmp_path / "classes.json").write_text(json.dumps(content))
    (tmp_path / "train").mkdir()
    classes = read_classes(tmp_path / "train")
    assert classes.names == ("sky", "car") and classes.synonyms == ((), ("automobile",))
    assert classes.is_partial(tmp_path / "ccp_1.jpg") and not classes.is_partial(tmp_path / "msrc_ccp.jpg")


def test_a_class_list_may_begin_with_a_byte_order_mark(tmp_path):
    entry = {"id": 0, "name": "Straße"}
    text = json.dumps({"classes": [entry]}, ensure_ascii=False)
    (tmp_path / "classes.json").write_text(text, encoding="utf-8-sig")
    assert read_classes(tmp_path).names == ("Straße",)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "{}",
        '{"classes": []}',
        '{"classes": [{"id": 2, "name": "x"}]}',
        '{"classes": [{"id": 0, "name": null}]}',
        '{"classes": [{"id": 0, "name": " "}]}',
        '{"classes": [{"id": 0, "name": "sky", "synonyms": "cloud"}]}',
        '{"classes": [{"id": 0, "name": "sky"}], "partial_sources": "ccp"}',
    ],
)
def test_broken_class_lists_are_refused(tmp_path, content):
    (tmp_path / "classes.json").write_text(content)
    with pytest.raises(DataError, match="no list of classes"):
        read_classes(tmp_path)


def test_no_class_list_says_how_to_write_one(tmp_path):
    (tmp_path / "below").mkdir()
    with pytest.raises(DataError, match="Write one"):
        read_classes(tmp_path / "below")


def test_label_maps_are_checked(tmp_path):
    path = tmp_path / "a.png"
    ids = np.array([[0, 1, 255], [1, 1, 0]], np.uint8)
    Image.fromarray(ids).save(path)
    np.testing.assert_array_equal(read_label_map(path, (2, 3), 2), ids)
    with pytest.raises(DataError, match="3 x 2 px, its photo 2 x 3"):
        read_label_map(path, (3, 2), 2)
    with pytest.raises(DataError, match=r"ids \[1\]"):
        read_label_map(path, (2, 3), 1)
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="no label map"):
        read_label_map(path, (2, 3), 2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_label_map_beside_a_turned_photo_lies_as_the_photo_does(tmp_path, orientation):
    """Drawn on the photo as it is shown or, where its size says so, on the pixels as they are stored."""
    stored = np.zeros((70, 90), np.uint8)
    stored[:30, :20] = 1
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "a.jpg"
    Image.fromarray(np.repeat(stored[..., None] * 200, 3, axis=2)).save(path, exif=exif, quality=95)
    photo = load_photo(path)
    assert read_orientation(path) == photo.orientation == orientation
    shown = (photo.rgb[..., 0] > 100).astype(np.uint8)
    for ids in [shown, *([stored] if orientation in (1, 5, 6, 7, 8) else [])]:
        Image.fromarray(ids).save(tmp_path / "a.png")
        found = read_label_map(tmp_path / "a.png", photo.size_px, 2, orientation=photo.orientation)
        np.testing.assert_array_equal(found, shown)
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_label_map(tmp_path / "a.png", photo.size_px, 2), shown)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".Png"])
@pytest.mark.parametrize("spelling", [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC")])
def test_a_label_map_is_found_however_its_accents_are_spelt(tmp_path, spelling, suffix):
    photo_name, map_name = (unicodedata.normalize(form, "café") for form in spelling)
    photo, label_map = tmp_path / f"{photo_name}.jpg", tmp_path / f"{map_name}{suffix}"
    Image.new("RGB", (40, 40)).save(photo)
    Image.new("L", (40, 40)).save(label_map, "PNG")
    assert find_label_map(photo) == label_map
    assert list_photos([tmp_path]) == [photo]
    assert list_labelled_photos(tmp_path) == [(photo, label_map)]


def test_no_group_outweighs_the_others():
    items = [f"film_{i}" for i in range(90)] + [f"street_{i}" for i in range(8)] + ["alone_0", "alone_1"]
    chosen = spread_groups(items, 20, lambda item: item.split("_")[0])
    counts = {name: sum(item.startswith(name) for item in chosen) for name in ("film", "street", "alone")}
    assert counts == {"film": 10, "street": 8, "alone": 2}
    assert chosen == sorted(chosen, key=items.index) and chosen[:2] == ["film_0", "film_9"]
    assert spread_groups(items, 500, lambda item: item.split("_")[0]) == items
    assert len(spread_groups(items, 2, lambda item: item)) == 2  # fewer than there are groups
