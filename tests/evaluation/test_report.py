import json

from sair_core.evaluation import report
from sair_core.evaluation.summary import Drawn, Gain, Summary


def a_summary(bin_name: str, method: str, lpips: float | None = None) -> Summary:
    return Summary(bin_name, method, 7, 25.125, 0.91234, 0.0321, lpips, 0.25)


def test_table_names_each_bin_once_and_drops_lpips_when_unknown():
    rows = [a_summary("0-20", "sair"), a_summary("0-20", "telea"), a_summary("20-40", "sair")]
    lines = report.format_table(rows, with_lpips=False).splitlines()
    assert lines[0].split() == ["hole", "%", "method", "PSNR", "dB", "SSIM", "L1", "s/fill", "photos"]
    assert lines[1].split() == ["0-20", "sair", "25.12", "0.9123", "0.0321", "0.250", "7"]
    assert lines[2].split()[0] == "telea" and lines[3].split()[0] == "20-40"
    assert len({line.index("25.12") for line in lines[1:]}) == 1  # aligned


def test_table_with_lpips():
    text = report.format_table([a_summary("0-20", "sair", 0.1234)], with_lpips=True)
    assert "LPIPS" in text and "0.1234" in text


def test_sharpness_comes_last_where_it_is_known():
    row = Summary("0-20", "spn", 7, 25.125, 0.91234, 0.0321, None, 0.25, sharpness=0.876)
    head, line = report.format_table([row], with_lpips=False).splitlines()
    assert head.split()[-2:] == ["photos", "sharpness"] and line.split()[-2:] == ["7", "0.88"]


def test_samples_have_a_table_of_their_own():
    drawn = Drawn(5, 26.5, 0.92, 0.03, 0.0456, None)
    rows = [
        a_summary("0-20", "sair"),
        *(Summary(bin, "spn", 7, 25.0, 0.9, 0.03, None, 0.2, drawn=drawn) for bin in ("0-20", "20-40")),
    ]
    head, first, second = report.format_drawn(rows).splitlines()
    assert head.split()[-3:] == ["diversity", "L1", "LPIPS"]
    assert first.split() == ["0-20", "spn", "5", "26.50", "0.9200", "0.0300", "0.0456", "-"]
    assert second.split()[0] == "20-40"


def test_gain_lines_carry_sign_and_rival():
    line = report.format_gains([Gain("20-40", "sair", 1.5, "telea", -0.001, "biharmonic")])
    assert "20-40 %" in line and "+1.50 dB (telea)" in line and "-0.0010 (biharmonic)" in line


def test_machine_facts_are_filled():
    facts = report.machine_facts()
    assert facts["processor"] and facts["cores"] >= 1 and facts["torch"][0].isdigit()
    assert facts["date"].endswith("+00:00")
    assert report.package_version("no-such-package-here") == "not installed"


def test_json_makes_its_folder_and_has_no_figures_that_are_none(tmp_path):
    path = tmp_path / "new" / "figures.json"
    report.write_json(path, {"psnr": float("inf"), "rows": [1.5, float("nan"), {"a": (2, "b")}]})
    assert json.loads(path.read_text()) == {"psnr": None, "rows": [1.5, None, {"a": [2, "b"]}]}
