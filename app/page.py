"""The page: head, tabs, endpoints; and how it is served."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from gradio.route_utils import FnIndexInferError, delete_files_created_by_app
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from sair_core.files import ASSETS

from . import api
from .edit import tab as edit
from .host.fetching import refuse_addresses
from .host.limits import SESSIONS, hosted, limits
from .host.logs import leave_out_messages
from .host.malformed import (
    refuse_malformed,
    refuse_nameless_file,
    refuse_unknown_endpoint,
    require_fitting_values,
    require_session_name,
)
from .host.origins import RefuseForeignPages
from .semantics import tab as semantics
from .serving.service import FillService
from .session import Session
from .theme import studio_theme
from .train import tab as train
from .train.jobs import TrainingJobs
from .widgets import assets
from .widgets.files import own_prefix
from .widgets.workbench import Workbench
from .zoom import tab as zoom

EXAMPLES = ASSETS / "examples"


def list_tabs(examples: Path, jobs: TrainingJobs | None) -> dict[str, Callable[[Workbench], None]]:
    """Return the function that lays out the tab, by title. A new tab is a folder with a tab.py and one line
    here. Arguments as in `build_app`."""
    # Edit comes first: the browser builds a tab when it is first opened and then keeps it, and all others use
    # the editor.
    tabs: dict[str, Callable[[Workbench], None]] = {
        "Edit": partial(edit.build, examples=examples),
        "Zoom": zoom.build,
        "Semantics": semantics.build,
    }
    if jobs is not None and not hosted():  # training reads this machine's folders
        tabs["Train"] = partial(train.build, jobs=jobs)
    return tabs


def build_app(service: FillService, examples: Path = EXAMPLES, jobs: TrainingJobs | None = None) -> gr.Blocks:
    """Build the whole app around a service. Nothing is loaded or started here.

    examples: folder with photos to try; it may be missing. jobs: the trainings of this machine; without them,
    and wherever the app is hosted, there is no Train tab.
    """
    refuse_addresses()
    leave_out_messages()
    with gr.Blocks(
        title="SAIR Studio", analytics_enabled=False, fill_width=True, delete_cache=limits().delete_files
    ) as blocks:
        gr.HTML(
            assets.static("widgets/head.html").read_text("utf-8"),
            elem_id="page-head",
            apply_default_css=False,
        )
        state = gr.State(None)
        bench = Workbench(service, state)
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            for title, build in list_tabs(examples, jobs).items():
                with gr.Tab(title, elem_id=f"tab-{title.lower()}"):
                    build(bench)
        api.add_endpoints(service)

        def close_page(request: gr.Request) -> None:
            if request.session_hash is not None:
                forget_session(blocks, state, request.session_hash)

        blocks.unload(close_page)
    return blocks.queue(max_size=limits().waiting)  # who comes then is answered with 503 and told so


def forget_session(blocks: gr.Blocks, state: gr.State, page: str) -> None:
    """Free what a closed page's session can make again; Gradio keeps the session itself for an hour more, as
    the page may only have lost its connection. state: holds the Session; page: Gradio's name of it."""
    sessions = blocks.state_holder
    session: Session | None = sessions[page][state._id] if page in sessions else None
    if session is not None:
        session.forget()


def launch_options() -> dict[str, Any]:
    """Return what `Blocks.launch` is given besides host, port and share: looks, limits, and nothing from
    outside."""
    return {
        "theme": studio_theme(),
        "css": assets.css(),
        "head": assets.head(),
        "favicon_path": str(assets.static("widgets/favicon.svg")),
        "footer_links": ["api"],
        "run_history": False,
        "max_file_size": limits().upload,
        "state_session_capacity": SESSIONS,
        "strict_cors": True,
        "app_kwargs": {
            "exception_handlers": {
                RequestValidationError: refuse_malformed,
                FnIndexInferError: refuse_unknown_endpoint,
                TypeError: refuse_nameless_file,
            },
            "dependencies": [Depends(require_session_name), Depends(require_fitting_values)],
            # Where the app is hosted, pages of other sites may call its endpoints.
            "middleware": [] if hosted() else [Middleware(RefuseForeignPages)],
        },
        "ssr_mode": False,
        "pwa": False,
    }


def forget_files(blocks: gr.Blocks) -> None:
    """Delete what was sent, shown and offered: Gradio itself does so only once the last visitor has gone, and
    leaves the folders."""
    delete_files_created_by_app(blocks, age=None)
    root = Path(get_upload_folder())
    for folder in root.glob(f"{own_prefix()}*"):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in root.glob("[0-9a-f]" * 64):  # Gradio's names are digests
        with contextlib.suppress(OSError):  # with a file of another app that shares the root
            folder.rmdir()
