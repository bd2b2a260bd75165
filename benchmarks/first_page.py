"""How long the app takes to its first page."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APP_LIMIT_SECONDS = 120.0


def first_page_seconds(args: argparse.Namespace) -> tuple[float | None, str]:
    """Starts the app on a free loopback port, waits for its page, and ends it again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--host", "127.0.0.1", "--port", str(port), "--model", args.model, "--device", args.device]
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    began = time.perf_counter()
    app = subprocess.Popen(
        [sys.executable, "app.py", *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while time.perf_counter() - began < APP_LIMIT_SECONDS:
            if app.poll() is not None:
                return None, f"app.py ended with status {app.returncode}"
            if page_answers(f"http://127.0.0.1:{port}/"):
                return time.perf_counter() - began, ""
            time.sleep(0.05)
        return None, f"no page within {APP_LIMIT_SECONDS:g} s"
    finally:
        stop(app)


def page_answers(url: str) -> bool:
    # Without the environment's proxies: they do not reach this machine's loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as response:
            return response.status == 200
    except OSError:  # URLError is one
        return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and what it started."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)  # it was started as leader of a session of its own
    else:
        process.kill()
    process.wait()
