"""The server fetches nothing that a visitor names."""

from __future__ import annotations

from typing import NoReturn

import gradio as gr
from gradio import processing_utils


def refuse_addresses() -> None:
    """Make Gradio refuse files whose path is an address: it would download them for any visitor, and has no
    setting against it."""
    processing_utils.async_ssrf_protected_download = _refuse_later
    processing_utils.ssrf_protected_download = processing_utils.save_url_to_cache = _refuse


def _refuse(*_: object, **__: object) -> NoReturn:
    raise gr.Error(
        "Files are not fetched from addresses here. Upload the file itself.", print_exception=False
    )


async def _refuse_later(*_: object, **__: object) -> NoReturn:
    _refuse()
