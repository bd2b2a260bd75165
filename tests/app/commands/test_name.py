from __future__ import annotations

import numpy as np
from PIL import Image

from app.commands import name
from sair_core.semantics.words import MAX_LABELS

LABELS = "sky, grass, everything else"


def test_shares_are_printed_and_the_map_is_written(desk, pipe, loaded, monkeypatch, capsys):
    monkeypatch.setattr(name.NameOptions, "load_pipeline", lambda options: pipe)
    target = desk.out / "map.png"
    assert name.main([str(desk.photo), LABELS, "-o", str(target)]) == 0
    *lines, written = capsys.readouterr().out.splitlines()
    assert written == str(target)
    expected = pipe.semantics(desk.photo, LABELS)
    assert lines == [f"{100 * share:5.1f} %  {label}" for label, share in expected.shares.items()]
    found = Image.open(target)
    assert found.mode == "P" and found.text["labels"].split("\n") == list(expected.labels)
    np.testing.assert_array_equal(np.asarray(found), expected.ids)


def test_without_labels_everyday_words_are_looked_for(desk, pipe, monkeypatch, capsys):
    monkeypatch.setattr(name.NameOptions, "load_pipeline", lambda options: pipe)
    assert name.main([str(desk.photo)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert abs(sum(float(line.split("%")[0]) for line in lines) - 100) < 0.05 * len(lines) + 0.1
    assert len(name.NameOptions(photo=desk.photo).words()) <= MAX_LABELS


def test_what_cannot_be_ends_with_a_sentence(desk, loaded, capsys):
    (desk.out / "map.png").write_bytes(b"a holiday")
    for more, message in (
        ([" , "], "No label was given"),
        (["x" * 100], "100 characters"),
        (["sky", "-o", "map.jpg"], "must end in one of .png"),
        (["sky", "-o", str(desk.out / "map.png")], "exists"),
        (["sky", "-o", str(desk.photo), "--overwrite"], "is what is read"),
    ):
        assert name.main([str(desk.photo), *more]) == 2
        assert message in capsys.readouterr().err
    assert not loaded and (desk.out / "map.png").read_bytes() == b"a holiday"
