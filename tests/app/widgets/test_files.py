"""Folders of files that Gradio serves: what a killed app left goes, everything else stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from app.widgets.files import delete_leftovers, new_file

DAY = 86_400


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def make(folder, name, *, days):
    path = folder / name
    path.mkdir()
    (path / "filled.png").write_bytes(b"picture")
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def test_old_folders_of_an_app_that_was_killed_are_deleted(folder, dead):
    make(folder, f"sair-{dead}-ab1_c", days=2)
    delete_leftovers(DAY)
    assert not list(folder.iterdir())


def test_what_is_new_running_or_of_others_stays(folder, dead):
    kept = [
        make(folder, f"sair-{dead}-new", days=0.5),
        make(folder, f"sair-{os.getpid()}-running", days=9),
        make(folder, "0" * 64, days=9),  # as Gradio names what it was sent
        make(folder, f"sair-{dead}-Other App", days=9),
        make(folder, "sair-notes", days=9),
    ]
    outside = make(folder, "outside", days=9)
    (folder / f"sair-{dead}-link").symlink_to(outside)
    (folder / f"sair-{dead}-file").write_bytes(b"no folder")
    delete_leftovers(DAY)
    assert all((path / "filled.png").exists() for path in [*kept, outside])
    assert (folder / f"sair-{dead}-file").exists() and (folder / f"sair-{dead}-link").is_symlink()


def test_a_new_file_lies_where_it_would_be_found(folder, dead):
    path = new_file("filled.png")
    path.write_bytes(b"picture")
    os.utime(path.parent, (time.time() - 2 * DAY,) * 2)
    path.parent.rename(folder / path.parent.name.replace(f"-{os.getpid()}-", f"-{dead}-"))
    delete_leftovers(DAY)
    assert not list(folder.iterdir())


def test_a_folder_that_is_not_there_is_no_fault(folder, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder / "nowhere"))
    delete_leftovers(DAY)
