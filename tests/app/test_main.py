"""app.py, the command. Where it refuses to begin it is called here, else started as users start it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import gradio as gr
import httpx
import pytest

from app.__main__ import main
from app.serving.service import FillService
from benchmarks.serving import running_app
from tests.app.fakes import until

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture
def refusal(capsys):
    """`refusal(*arguments)`: what the command says where it refuses to begin."""

    def refuse(*arguments: str) -> str:
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert "Traceback" not in said
        return said

    return refuse


def test_help_names_every_option():
    result = run("app.py", "--help")
    assert result.returncode == 0
    for option in ("--host", "--port", "--share", "--model", "--spn", "--device", "--runs"):
        assert option in result.stdout


def test_help_needs_no_heavy_import():
    code = (
        "import runpy, sys\n"
        "sys.argv = ['app.py', '--help']\n"
        "try: runpy.run_path('app.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'gradio', 'numpy', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = run("-c", code)
    assert result.returncode == 0, result.stderr


def test_the_page_is_built_without_torch():
    code = (
        "import sys\n"
        "from app.serving.service import FillService\n"
        "from app.page import build_app\n"
        "build_app(FillService(lambda: None))\n"
        "assert 'torch' not in sys.modules and 'sair_core.pipeline' not in sys.modules\n"
    )
    result = run("-c", code)
    assert result.returncode == 0, result.stderr


@pytest.mark.skipif(os.name == "nt", reason="has no SIGTERM")
def test_what_was_sent_is_gone_when_the_app_is_ended(tmp_path):
    served = tmp_path / "served"
    with running_app(files=served) as (url, pid):
        httpx.post(f"{url}gradio_api/upload", files={"files": ("photo.png", b"photo")}, timeout=60)
        assert list(served.rglob("photo.png"))
        os.kill(pid, signal.SIGTERM)
        until(lambda: not list(served.glob("[0-9a-f]*")))  # no empty folder either


@pytest.mark.skipif(os.name == "nt", reason="has no SIGTERM")
def test_it_ends_if_asked_to_where_python_drops_an_interrupt(monkeypatch):
    class Dropping:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)

    def launch(blocks, **options):
        Dropping()
        blocks.is_running = True

    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(gr.Blocks, "launch", launch)
    monkeypatch.setattr(FillService, "warm_up", lambda service: pytest.fail("nobody needs a model now"))
    assert main(["--model", "sair-lite"]) == 0
    assert signal.getsignal(signal.SIGTERM) == handler


@pytest.mark.parametrize("limit", ["0", "nan", "300"])
def test_a_limit_that_cannot_be_held_is_refused(limit, refusal):
    assert "error: --max-megapixels must be" in refusal("--max-megapixels", limit)


@pytest.mark.parametrize("port", ["0", "-1", "65536"])
def test_a_port_that_is_none_is_refused(port, refusal):
    assert "error: --port must be" in refusal(f"--port={port}")


@pytest.mark.parametrize("port", ["0", "99999", "", "tcp://10.0.0.1:7860"])
def test_a_first_port_that_is_none_is_refused(port, refusal, monkeypatch):
    monkeypatch.setenv("GRADIO_SERVER_PORT", port)
    assert "error: The environment variable GRADIO_SERVER_PORT" in refusal()


def test_a_port_in_use_is_said_in_words():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("app.py", "--port", str(port))
    assert done.returncode == 2 and f"port {port}: it is in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.7", "a" * 80])
def test_a_host_that_is_not_this_machine_is_said_in_words(host, refusal):
    said = refusal("--host", host)
    assert said.count("\n") == 1 and "cannot listen on" in said and "--host" in said


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_address_of_ipv6_can_be_listened_on(host, monkeypatch):
    """As the app gives it to Gradio, which would take its colons for a port's."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("This machine has no IPv6.")
    launched = {}

    def launch(blocks, **options):
        launched.update(options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(gr.Blocks, "launch", launch)
        assert main(["--host", host, "--model", "sair-lite"]) == 0
    with gr.Blocks() as blocks:
        gr.Markdown("here")
    _, url, _ = blocks.launch(server_name=launched["server_name"], prevent_thread_lock=True, quiet=True)
    blocks.close(verbose=False)
    assert url.startswith("http://[::1]:")


def test_a_folder_for_files_that_is_none_is_said_in_words(refusal, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file"))
    assert "GRADIO_TEMP_DIR" in refusal()


def test_an_unknown_option_is_refused():
    assert run("app.py", "--nope").returncode == 2
