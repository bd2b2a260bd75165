"""Gradio's MCP server: every public endpoint as a tool. Gradio goes on without it where it cannot start."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from sair_core.errors import MissingDependencyError, SairError

if TYPE_CHECKING:
    import gradio as gr


class McpError(SairError):
    """The MCP server did not start."""


def check_installed() -> None:
    """Raises MissingDependencyError where Gradio's extra is missing."""
    if importlib.util.find_spec("mcp") is None:
        raise MissingDependencyError('--mcp needs a package more. Install it with: pip install "gradio[mcp]"')


def check_running(blocks: gr.Blocks) -> None:
    """Raises McpError where launched Blocks have no MCP server, and stops them."""
    if blocks.mcp_error or blocks.mcp_server_obj is None:
        blocks.close(verbose=False)
        raise McpError(f"The MCP server did not start. {blocks.mcp_error or 'Start the app without --mcp.'}")
