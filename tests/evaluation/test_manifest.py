import json

import pytest

from sair_core.errors import DataError
from sair_core.evaluation.holes import ObjectHoles
from sair_core.evaluation.manifest import Manifest, make_manifest
from sair_core.evaluation.samples import list_samples


@pytest.fixture
def manifest(photo_folder) -> Manifest:
    (photo_folder / "below").mkdir()
    (photo_folder / "c.png").rename(photo_folder / "below" / "c.png")
    samples = list_samples(photo_folder, 2)
    settings = {"masks": "objects", "seed": 7, "size_px": None, "bin_percent": 20}
    digests = {"00001_b_objects": "22", "00000_a_objects": "11"}
    return make_manifest(photo_folder, samples, ObjectHoles(7), **settings, hole_digests=digests)


def test_it_comes_back_from_its_file(manifest, tmp_path):
    manifest.write(tmp_path / "new" / "m.json")
    assert Manifest.read(tmp_path / "new" / "m.json") == manifest
    content = json.loads((tmp_path / "new" / "m.json").read_text())
    assert content["seed"] == 7 and content["holes"]["ellipses"] == [1, 3]
    assert list(content["hole_digests"]) == ["00000_a_objects", "00001_b_objects"]


def test_photos_are_found_again_wherever_their_folder_lies(manifest, photo_folder, tmp_path):
    found = manifest.find_photos(photo_folder)
    assert found == list_samples(photo_folder, 2)
    moved = photo_folder.rename(tmp_path / "moved")
    assert [s.path.relative_to(moved).as_posix() for s in manifest.find_photos(moved)] == [
        s.path.relative_to(photo_folder).as_posix() for s in found
    ]


def test_missing_and_other_photos_are_refused(manifest, photo_folder):
    a = photo_folder / "a.png"
    a.write_bytes(a.read_bytes() + b"0")
    with pytest.raises(DataError, match=r"a\.png is another photo"):
        manifest.find_photos(photo_folder)
    a.unlink()
    with pytest.raises(DataError, match=r"a\.png, a photo of the manifest, is missing"):
        manifest.find_photos(photo_folder)


def test_what_is_no_manifest_is_refused(tmp_path):
    for content in ("", "[]", '{"masks": "objects"}', '{"seed": 0.5}'):
        (tmp_path / "m.json").write_text(content)
        with pytest.raises(DataError, match="is no manifest"):
            Manifest.read(tmp_path / "m.json")
    with pytest.raises(DataError, match="is no manifest"):
        Manifest.read(tmp_path / "none.json")
