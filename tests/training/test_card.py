import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sair_core.errors import ConfigError, DataError
from sair_core.training.card import model_card
from sair_core.training.loop import train
from sair_core.training.push import main, push

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tiny_run, tmp_path):
    train(tiny_run(preset="tiny"), show_progress=False)
    return tmp_path / "run"


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as an upload asks for: it keeps what is committed, in `server.files`."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        here = f"http://127.0.0.1:{self.server.server_port}"
        if self.path == "/api/repos/create":
            content = json.loads(body)
            self.server.repo = f"{content.get('organization', '')}/{content['name']}"
            return self.answer({"url": f"{here}/{self.server.repo}", "name": self.server.repo})
        if self.path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            return self.answer({"files": [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
            ]})  # fmt: skip
        if "/commit/" in self.path:
            for line in body.decode().splitlines():
                row = json.loads(line)
                if row["key"] == "file":
                    self.server.files[row["value"]["path"]] = base64.b64decode(row["value"]["content"])
            commit = {"commitUrl": f"{here}/me/mine/commit/1", "commitOid": "1" * 40, "success": True}
            return self.answer(commit)
        self.send_error(404)

    def do_GET(self):
        self.answer({"id": "me/mine", "sha": "1" * 40, "siblings": [], "name": "me", "type": "user"})

    def answer(self, content):
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.files = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def push_run(hub, *arguments):
    """`python -m sair_core.training.push` to that hub."""
    env = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_TOKEN": "hf_x"}
    env.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-m", "sair_core.training.push", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


def test_a_card_tells_the_figures_and_no_paths(run, tmp_path):
    card = model_card(run, "me/mine")
    assert card.startswith("---\nlicense: other") and "# mine" in card
    assert 'from_pretrained("me/mine")' in card
    assert "| at the start | 0 |" in card and "| at the end | 4 |" in card and "psnr_0_20" in card
    assert "`photos`" in card and str(tmp_path) not in card


def test_a_run_is_pushed_with_its_card(run, hub, tmp_path):
    done = push_run(hub, run, "--repo", "me/mine")
    assert done.returncode == 0 and "/me/mine" in done.stdout, done.stderr[-2000:]
    assert hub.files.keys() == {"README.md", "config.json", "model.safetensors", "train.json", "curves.png"}
    assert hub.files["model.safetensors"] == (run / "model" / "model.safetensors").read_bytes()
    assert b"# mine" in hub.files["README.md"]
    assert not [name for name, content in hub.files.items() if str(tmp_path).encode() in content]


def test_a_hub_that_is_not_there_is_said(run, hub):
    hub.shutdown()
    hub.server_close()
    done = push_run(hub, run, "--repo", "me/mine")
    assert done.returncode == 2 and "The hub did not take it" in done.stderr


def test_what_cannot_be_pushed_is_refused(run, tmp_path, capsys):
    with pytest.raises(ConfigError, match="user/name"):
        push(run, "mine")
    with pytest.raises(DataError, match="holds no run"):
        push(tmp_path, "me/mine")
    shutil.rmtree(run / "best", ignore_errors=True)  # as where no validation was better than the first
    with pytest.raises(DataError, match="Leave --best out"):
        push(run, "me/mine", best=True)
    assert main([str(tmp_path), "--repo", "me/mine"]) == 2
    assert "holds no run" in capsys.readouterr().err
