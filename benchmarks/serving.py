"""A running app and what it is asked, for the benchmarks that need one."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import TimeoutError as Late
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from gradio_client.utils import QueueError

from benchmarks.first_page import APP_LIMIT_SECONDS, ROOT, page_answers, stop

APP = ("app.py", "--host", "127.0.0.1")
END_SECONDS = 30.0
TALK_SECONDS = 5.0  # for the upload, the queue and the way back
UNTOLD = "has not enabled verbose error reporting"  # what Gradio says of errors that are no message


@contextlib.contextmanager
def running_app(
    url: str | None = None, *, command: Sequence[str] = APP, files: Path | None = None, port: int = 0
) -> Iterator[tuple[str, int | None]]:
    """`(url, process id)` of an app: the one at `url`, whose process is not known, or one of its own on a
    free loopback port, which is ended afterwards as with Ctrl+C.

    command: of that one, as Python is given it, without the port. files: folder for what it is sent and what
    it makes; None: where Gradio keeps them. port: of that one; 0: any free one.
    """
    if url is not None:
        yield url, None
        return
    port = port or find_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | ({} if files is None else {"GRADIO_TEMP_DIR": str(files)})
    app = subprocess.Popen(
        [sys.executable, *command, "--port", str(port)],
        cwd=ROOT, env=environment, start_new_session=True, **quiet,
        # A shell that runs us in the background leaves Ctrl+C ignored, and children inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}/"
        until = time.monotonic() + APP_LIMIT_SECONDS
        while not page_answers(url):
            if app.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"The app did not start (exit status {app.poll()}).")
            time.sleep(0.2)
        yield url, app.pid
        app.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            app.wait(END_SECONDS)
    finally:
        stop(app)


def find_port() -> int:
    """Return a loopback port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def app_memory_gb(pid: int) -> float | None:
    """The largest resident memory that the process had; None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 2**20 for line in lines if line.startswith("VmHWM")), None)


def send(url: str, endpoint: str, *arguments: object, seconds: float) -> tuple[str, str]:
    """As `ask`, with a client for each address; the answer as text."""
    kind, answer = ask(_client(url), endpoint, *arguments, seconds=seconds)
    return kind, str(answer)


def ask(client: Client, endpoint: str, *arguments: object, seconds: float) -> tuple[str, Any]:
    """Ask an endpoint; paths are uploaded. What came back, and it or what was said: "answer", "message" (an
    error in plain words), "error" (any other), "silence" (nothing within `seconds`) or "gone" (nobody is
    there)."""
    sent = [handle_file(str(value)) if isinstance(value, Path) else value for value in arguments]
    try:
        return "answer", client.submit(*sent, api_name=endpoint).result(timeout=seconds)
    except (AppError, QueueError) as error:
        return ("error" if UNTOLD in str(error) else "message"), str(error)
    except Late:
        return "silence", f"of {seconds:g} s"
    except (httpx.HTTPError, OSError) as error:
        return "gone", f"{type(error).__name__}: {error}"


@cache
def _client(url: str) -> Client:
    return new_client(url)


def new_client(url: str, folder: Path | None = None) -> Client:
    """A session of its own with the app. folder: where the files that it is given go."""
    os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")
    downloads = {} if folder is None else {"download_files": str(folder)}
    options = {"verbose": False, "analytics_enabled": False, "httpx_kwargs": {"timeout": APP_LIMIT_SECONDS}}
    return Client(url, **options, **downloads)
