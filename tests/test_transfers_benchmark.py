"""`benchmarks/transfers.py`: of a result only what changed travels."""

from __future__ import annotations

import re

from benchmarks import transfers


def test_only_what_changed_travels(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- transfers -->\n<!-- /transfers -->")
    assert transfers.main(["--size", "600", "800", "--hole", "60", "--page", str(page)]) == 0
    shown = capsys.readouterr().out
    assert shown.strip() in page.read_text()
    sizes = {
        name: float(kb.replace(",", "")) for name, kb in re.findall(r"^\| (.+?) \| ([\d,]+) \|", shown, re.M)
    }
    part, whole = sizes["result: the rectangles that changed"], sizes["for comparison, all of the result"]
    assert 0 < part < whole / 20
    assert sizes["mask: the painted part"] < part
