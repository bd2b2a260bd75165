"""`benchmarks/peers.py`: its figures are those of what ran, and what cannot run says why."""

from __future__ import annotations

import json

import pytest

from benchmarks import peers
from benchmarks.machine import write_section
from benchmarks.peer_report import (
    Case,
    Figure,
    describe,
    exponent,
    growing_hole,
    growing_large_hole,
    growing_photo,
)
from sair_core.errors import MissingDependencyError


def figure(way: str, side: int, hole_px: int, seconds: float | None) -> Figure:
    return Figure(way, Case((side, side), hole_px), seconds, note="" if seconds else "left out: about 99 s")


def test_the_exponent_is_that_of_a_power():
    assert exponent([10, 100, 1000], [3e1, 3e3, 3e5]) == pytest.approx(2)
    assert exponent([10, 100, 1000], [7, 7, 7]) == pytest.approx(0)
    assert exponent([10], [1]) is None


def test_a_series_is_of_the_largest_photo_that_was_measured_whole():
    figures = [figure("a", 10, 5, 1.0), figure("a", 10, 50, 2.0), figure("a", 20, 20, 3.0)]
    figures.append(figure("a", 20, 200, None))
    assert growing_hole(figures) == {"a": ([5, 50], [1.0, 2.0])}
    assert growing_photo(figures) == {"a": ([100, 100, 400], [1.0, 2.0, 3.0])}


def test_large_holes_are_those_of_the_largest_photo_with_two_of_them():
    figures = [figure("a", 1000, 300_000, 1.0), figure("a", 1000, 900_000, 3.0)]
    figures += [figure("a", 2000, px, s) for px, s in ((90_000, 1.0), (400_000, 2.0), (1_600_000, None))]
    assert growing_large_hole(figures) == {"a": ([300_000, 900_000], [1.0, 3.0])}
    figures.append(figure("a", 2000, 800_000, 4.0))
    assert growing_large_hole(figures) == {"a": ([400_000, 800_000], [2.0, 4.0])}


def test_what_is_missing_has_a_row_that_says_so():
    def missing() -> None:
        raise MissingDependencyError("no such package")

    clock = peers.Clock(runs=1, patience=1.0, limit=1.0)
    case, arguments = peers.fill_case((8, 8), 9)
    calls: list[object] = []
    found = clock.measure(
        {"there": lambda: lambda *given: calls.append(given), "not": missing}, case, arguments
    )
    there, absent = found
    assert there.seconds is not None and there.runs == 1 and len(calls) == 3  # loaded, warmed, timed
    assert absent.seconds is None and absent.note == "no such package"
    text = describe([there, absent], [there, absent], [], {"cores": 2})
    assert "| not | not there |" in text and "not, 8 x 8: no such package." in text


def test_a_case_that_would_take_too_long_is_left_out():
    clock = peers.Clock(runs=1, patience=1.0, limit=10.0)
    case, arguments = peers.fill_case((20, 20), 9)
    before = [figure("slow", 10, 9, 3.0), figure("fast", 10, 9, 0.1)]
    ran: list[str] = []
    ways = {name: (lambda name=name: lambda *_: ran.append(name)) for name in ("slow", "fast")}
    slow, fast = clock.measure(ways, case, arguments, before)
    assert slow.seconds is None and slow.note == "left out: about 12 s"
    larger, more = peers.fill_case((40, 40), 9)
    slow, _ = clock.measure(ways, larger, more, [slow, fast])
    assert slow.seconds is None and slow.note == "left out: about 48 s"
    assert fast.seconds is not None and set(ran) == {"fast"}


def test_the_whole_run_on_tiny_photos(tmp_path, monkeypatch, capsys):
    named = {
        "ours": lambda: lambda photo, hole: (photo, hole),
        "theirs": lambda: lambda photo, hole: photo.copy(),
    }
    monkeypatch.setattr(peers, "load_fills", lambda device: named)
    monkeypatch.setattr(peers, "load_enlargements", lambda device: {"bicubic": lambda: lambda photo: photo})
    page, found = tmp_path / "page.md", tmp_path / "found.json"
    page.write_text("before\n<!-- peers -->\nold\n<!-- /peers -->\nafter\n")
    assert peers.main(["--quick", "--cores", "0", "--page", str(page), "--json", str(found)]) == 0
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert capsys.readouterr().out.strip() in text
    assert (tmp_path / "performance_hole.png").stat().st_size > 5000
    fills = json.loads(found.read_text())["fills"]
    assert {(f["way"], tuple(f["case"]["size_px"])) for f in fills} == {
        (way, size) for way in named for size in ((64, 64), (96, 96))
    }


def test_networks_of_others_fill_and_enlarge():
    pytest.importorskip("spandrel", reason="pip install spandrel")
    from benchmarks.peer_methods import SCALE, load_enlargements, load_fills

    (photo, hole), (small,) = peers.fill_case((32, 40), 64)[1](0), (peers.fill_case((8, 8), 9)[1](0)[0],)
    filled = load_fills("cpu")["LaMa, whole photo"]()(photo, hole)
    assert filled.shape == (1, 3, 32, 40)
    for name in ("Real-ESRGAN's network", "its compact network"):
        assert load_enlargements("cpu")[name]()(small).shape == (1, 3, 8 * SCALE, 8 * SCALE)
    assert load_enlargements("cpu")["LIIF, as published"]()(small).shape == (1, (8 * SCALE) ** 2, 3)


def test_a_page_without_the_section_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="no section"):
        write_section(page, "peers", "text")
    assert page.read_text() == "nothing"
