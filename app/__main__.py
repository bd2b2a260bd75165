"""The editor in the browser: `python app.py`, `sair app`."""

from __future__ import annotations

import functools
import logging
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from sair_core.command_line import Option, run_command
from sair_core.config import require, require_megapixels, strict_dataclass
from sair_core.errors import ConfigError
from sair_core.filling.engines import match_engine, name_engine
from sair_core.stopping import StopSignals
from sair_core.weights.bundled import BUNDLED_SAIR, BUNDLED_SPN, is_bundled

from .host.accounts import read_accounts
from .host.limits import hosted, limits
from .host.mcp import check_installed, check_running

LOOK_SECONDS = 0.1  # between looks at whether the app is asked to end
FIRST_PORT = "GRADIO_SERVER_PORT"  # of the environment: Gradio tries the ports from there on


@strict_dataclass
class AppOptions:
    """SAIR Studio: paint over anything in a photo, in the browser."""

    host: str = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    """address to listen on; 0.0.0.0 lets other machines in, :: over IPv6"""
    port: int | None = None
    """port (default: the first free one from 7860)"""
    share: bool = False
    """make a public link through Gradio's relay; there is no Train tab then"""
    model: str = BUNDLED_SAIR
    """a bundled model's name, a folder with a checkpoint, or a hub id"""
    spn: Annotated[str | None, Option(metavar="MODEL")] = BUNDLED_SPN if is_bundled(BUNDLED_SPN) else None
    """a model for Painted fills and variations, named like --model"""
    engine: Annotated[str | None, Option(metavar="FILE|HUB_ID")] = None
    """an inpainting model of others as one more engine, or lama (pip install 'sair-studio[engines]')"""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps"""
    runs: Annotated[Path | None, Option(metavar="FOLDER")] = None
    """where trainings of the app are kept (default: runs, in a checkout or here)"""
    max_megapixels: float = limits().megapixels
    """refuse larger photos"""
    auth: Annotated[Path | None, Option(metavar="FILE")] = None
    """let in only who is named in this file: a line user:password for each"""
    mcp: bool = False
    """offer every endpoint as a tool to language models too (pip install "gradio[mcp]")"""

    verbose: bool = False
    """log the stages of all work, with their times"""

    def __post_init__(self) -> None:
        require_megapixels(self.max_megapixels)
        require(self.port is None or 0 < self.port < 65536, "--port must be from 1 to 65535.")
        first = os.environ.get(FIRST_PORT, "7860")
        require(
            first.isdecimal() and 0 < int(first) < 65536,
            f"The environment variable {FIRST_PORT} must be from 1 to 65535, got {first!r}. Change it.",
        )
        if self.mcp:
            check_installed()
        require(
            self.engine is None or match_engine(self.engine) is None,
            f"The app has {self.engine} as it is. Give --engine a model of others, or leave it out.",
        )
        require(not (self.mcp and self.auth), "--mcp asks nobody for a password. Leave out --mcp or --auth.")


def main(argv: Sequence[str] | None = None, *, prog: str = "python app.py") -> int:
    """Run the command line until the app is ended, and return its exit status."""
    return run_command(_serve, AppOptions, argv, prog=prog)


def _serve(options: AppOptions) -> None:
    if options.verbose:
        logging.getLogger(__package__).setLevel(logging.DEBUG)
    accounts = None if options.auth is None else read_accounts(options.auth)
    # Nothing is reported to anybody; read by gradio and huggingface_hub when they are imported.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from sair_core.weights.inpainters import find_inpainter

    from .page import build_app, forget_files, launch_options
    from .serving.loading import load_pipeline
    from .serving.service import FillService
    from .train.jobs import RUNS, TrainingJobs
    from .widgets.files import check_folder, delete_leftovers

    if options.engine is not None:
        find_inpainter(options.engine)  # what is not there is said now, and not at the first fill
    _check_host(options)
    check_folder()
    delete_leftovers(limits().delete_files[1])
    load = functools.partial(load_pipeline, device=options.device)
    spn, engine = options.spn, options.engine
    service = FillService(
        lambda: load(options.model),
        model=options.model,
        load_model=load,
        max_megapixels=options.max_megapixels,
        load_painter=None if spn is None else lambda: load(spn),
        guest=None if engine is None else name_engine(engine),
        load_guest=None if engine is None else lambda: load(engine=engine),
    )
    # A public link would show this machine's folders to anybody.
    jobs = None if options.share else TrainingJobs(options.runs or RUNS)
    blocks = build_app(service, jobs=jobs)
    if hosted():
        service.load()  # nobody is there yet, and a GPU that is lent knows only what is loaded by now
    with StopSignals() as stop:
        try:
            blocks.launch(
                server_name=_write_in_url(options.host),
                server_port=options.port,
                share=options.share,
                auth=accounts,
                mcp_server=options.mcp,
                prevent_thread_lock=True,
                **launch_options(),
            )
            if options.mcp:
                check_running(blocks)
            if not stop.requested:
                service.warm_up()  # only now: reading the weights would hold up the first page
            while not stop.requested:
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            pass  # how an app ends: not a command that was broken off
        except OSError as error:
            raise _describe_address(options) from error
        finally:
            blocks.close(verbose=False)
            forget_files(blocks)


def _check_host(options: AppOptions) -> None:
    """Raise ConfigError for a host that is not this machine's: Gradio would try each of its ports."""
    try:
        host = options.host.strip("[]")
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        raise _describe_address(options) from error


def _write_in_url(host: str) -> str:
    """Return a host as it stands before a port: an address of IPv6 in brackets, which Gradio takes off."""
    return f"[{host.strip('[]')}]" if ":" in host else host


def _describe_address(options: AppOptions) -> ConfigError:
    port = "any port from 7860" if options.port is None else f"port {options.port}"
    return ConfigError(
        f"The app cannot listen on {options.host}, {port}: it is in use, reserved, or not this machine's. "
        "Choose others with --port and --host."
    )


if __name__ == "__main__":
    sys.exit(main())
