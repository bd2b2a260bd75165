"""A small run of `benchmarks/soak.py`, and that it sees what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmarks import soak, visitor
from benchmarks.visitor import FAILED, LEFT, REFUSED, RIGHT, WRONG, Outcome, Trouble, Visitor


def test_a_small_run_is_clean(capsys):
    arguments = ["--sessions", "3", "--minutes", "0.05", "--module", "tests.app.slow_app"]
    status = soak.main(arguments)
    out = capsys.readouterr().out
    assert status == 0, out
    assert "0 wrong answers, 0 errors" in out and "p95" in out and "MB (bar 100)" in out
    assert "files left behind: 0" in out


def test_a_restart_in_the_middle_loses_nothing(capsys):
    status = soak.main(["--sessions", "2", "--minutes", "0.1", "--restart", "--module", "tests.app.slow_app"])
    out = capsys.readouterr().out
    assert status == 0 and "asked for again, 0 lost" in out, out


def run(*outcomes: Outcome, memory_mb=(500.0, 510.0), repeated=None) -> soak.Run:
    return soak.Run([], list(outcomes), 10.0, memory_mb, 0, repeated)


def test_bars(capsys):
    fine = [
        Outcome("fill", RIGHT, 1.0),
        Outcome("leave", LEFT, 1.0),
        Outcome("fill", REFUSED, 0.1, "Queue is full!"),
    ]
    assert soak.show(run(*fine), 8) == 0
    for bad in (Outcome("view", WRONG, 1.0, "of another photo"), Outcome("fill", FAILED, 1.0, "gone"),
                Outcome("fill", REFUSED, 1.0, "no")):  # fmt: skip
        assert soak.show(run(*fine, bad), 8) == 1 and bad.text in capsys.readouterr().out
    assert soak.show(run(*fine, memory_mb=(500.0, 601.0)), 8) == 1
    capsys.readouterr()
    again = [Outcome("fill", RIGHT, 1.0), Outcome("view", FAILED, 1.0, "never answered")]
    assert soak.show(run(*fine, repeated=again[:1]), 8) == 0
    assert soak.show(run(*fine, repeated=again), 8) == 1
    assert "2 interrupted and asked for again, 1 lost" in capsys.readouterr().out
    assert soak.show(run(*fine, memory_mb=None), 8) == 0 and "memory: not known" in capsys.readouterr().out


def test_a_visitor_knows_its_own_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(visitor, "new_client", lambda url, folder: None)
    visitors = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        visitors.append(Visitor("http://127.0.0.1:1/", number, tmp_path / str(number)))
    one, other = visitors[1], visitors[2]
    assert len({v.photo.shape for v in visitors}) == 3

    def answers(picture):
        monkeypatch.setattr(Visitor, "_picture", lambda self, endpoint, *arguments: picture)

    near = one.photo.copy()
    near[0, 0] ^= 1
    cases = [(other.photo, "another size"), (near, "other known pixels")]
    for picture, text in cases:
        answers(picture)
        with pytest.raises(Trouble, match=text) as caught:
            one.fill()
        assert caught.value.what == WRONG
    answers(one.photo)
    assert (one.act("fill").what, one.act("view").what) == (RIGHT, RIGHT)
    answers(other.photo[:, : one.photo.shape[1]])
    assert one.act("view").text == "a view of another photo"

    def gives(*pictures, shift=0):
        paths = [str(tmp_path / f"{i}.png") for i in range(len(pictures))]

        def asked(self, endpoint, photo, mask, count, seed):
            for path, picture in zip(paths, pictures):
                Image.fromarray(np.where(self.holes[mask][..., None], picture, self.photo)).save(path)
            return paths, [seed + shift + i for i in range(count)]

        monkeypatch.setattr(Visitor, "_ask", asked)

    black, white = np.uint8(0), np.uint8(255)
    gives(black, white)
    assert one.act("variations").what == RIGHT
    gives(black, black)
    assert one.act("variations").text == "two seeds with one fill"
    gives(black, white, shift=1)
    assert one.act("variations").text == "other seeds"

    answers(one.photo.repeat(2, axis=0).repeat(2, axis=1))
    assert one.act("export").what == RIGHT
    answers(np.rot90(one.photo, 2).repeat(2, axis=0).repeat(2, axis=1))
    assert one.act("export").text == "an export of another photo"
