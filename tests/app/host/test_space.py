"""The Space: what goes there, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.host import space
from sair_core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]


def test_the_app_goes_and_the_rest_stays():
    files = space.space_files()
    assert {
        "app.py", "app/page.py", "app/edit/static/editor.js", "sair_core/pipeline.py", "README.md", "LICENSE",
        "requirements.txt", "assets/models/sair-lite/config.json",
        "assets/models/sair-lite/model.safetensors",
    } <= set(files)  # fmt: skip
    tops = {name.split("/")[0] for name in files}
    assert not tops & {"tests", "benchmarks", "runs", ".venv", ".git", "Makefile"}
    assert not [name for name in files if "__pycache__" in name or "/." in name]
    assert sum((ROOT / name).stat().st_size for name in files) < 500e6  # a Space holds 1 GB


def test_private_files_in_between_stay(tmp_path):
    for name in ("app.py", "app/.env", "app/__pycache__/ui.pyc", "assets/a.png", "runs/secret.txt", ".env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert space.space_files(tmp_path) == ["app.py", "assets/a.png"]


def test_the_dry_run_lists_and_uploads_nothing(capsys, monkeypatch):
    monkeypatch.setattr(space, "HfApi", lambda: pytest.fail("the hub was asked"))
    assert space.main(["--repo", "user/name", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "app.py" in out and "would go to user/name. Nothing was uploaded." in out


def test_an_upload_takes_the_same_files(monkeypatch, capsys):
    calls = []

    class Hub:
        def create_repo(self, repo, **options):
            calls.append((repo, options))

        def upload_folder(self, **options):
            calls.append(options)

    monkeypatch.setattr(space, "HfApi", Hub)
    assert space.main(["--repo", "user/name", "--private"]) == 0
    (repo, created), uploaded = calls
    assert repo == "user/name" and created["private"] and created["repo_type"] == "space"
    assert (uploaded["allow_patterns"], uploaded["ignore_patterns"]) == (space.WANTED, space.IGNORED)
    assert "app/*" in uploaded["delete_patterns"] and "README.md" not in uploaded["delete_patterns"]
    assert "huggingface.co/spaces/user/name" in capsys.readouterr().out


def test_refusals_are_messages(monkeypatch, capsys):
    class Hub:
        def create_repo(self, repo, **options):
            raise OSError("no network")

    monkeypatch.setattr(space, "HfApi", Hub)
    assert space.main(["--repo", "user/name"]) == 2 and "log in with" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="user/name"):
        space.upload("../name")


def test_the_front_matter_is_what_a_space_needs():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\n")
    lines = [line.partition(": ") for line in text.split("---\n")[1].splitlines()]
    matter = {name: value for name, _, value in lines}
    assert matter["sdk"] == "gradio" and matter["app_file"] == "app.py"
    assert len(matter["short_description"]) <= 60
    needed = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    low, high = (int(n) for n in re.search(r"gradio>=(\d+)\.\d+,<(\d+)", needed).groups())
    assert low <= int(matter["sdk_version"].split(".")[0]) < high
