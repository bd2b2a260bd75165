"""The MCP server: really there, or a plain no."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.host import mcp
from app.page import build_app, launch_options
from app.serving.service import FillService
from sair_core.errors import MissingDependencyError
from tests.app.fakes import MeanPipeline

ROOT = Path(__file__).resolve().parents[3]
INSTALLED = importlib.util.find_spec("mcp") is not None


def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'pip install "gradio\[mcp\]"'):
        mcp.check_installed()


@pytest.mark.parametrize("error, said", [("Error launching: x", "launching: x"), (None, "without --mcp")])
def test_a_server_that_did_not_start_stops_the_app(error, said):
    closed = []
    blocks = SimpleNamespace(mcp_error=error, mcp_server_obj=None, close=lambda verbose: closed.append(1))
    with pytest.raises(mcp.McpError, match=said):
        mcp.check_running(blocks)
    assert closed


@pytest.mark.skipif(not INSTALLED, reason='gradio[mcp] is not installed: pip install "gradio[mcp]"')
def test_every_endpoint_is_a_tool(photo_file, mask_file, tmp_path):
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    blocks = build_app(FillService(MeanPipeline), tmp_path)
    _, url, _ = blocks.launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", share=False, mcp_server=True,
        **launch_options(),
    )  # fmt: skip
    files = {
        name: f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
        for name, path in (("photo", photo_file), ("mask", mask_file))
    }

    async def talk():
        async with (
            streamablehttp_client(f"{url}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            filled = await session.call_tool("fill", files)
            fetched = await session.call_tool("fill", files | {"photo": "https://example.org/photo.png"})
            return tools, filled, fetched

    try:
        mcp.check_running(blocks)
        tools, filled, fetched = asyncio.run(talk())
    finally:
        blocks.close(verbose=False)
    public = {fn.api_name for fn in blocks.fns.values() if fn.api_visibility == "public"}
    assert set(tools) == public
    assert "white = fill" in tools["fill"].description
    assert {"photo", "mask", "words"} <= set(tools["fill"].inputSchema["properties"])
    assert not filled.isError and filled.content[0].type == "image"
    assert fetched.isError and "not fetched from addresses" in fetched.content[0].text


def test_the_command_refuses_what_would_not_work(tmp_path):
    def said(installed: bool, *options: str) -> str:
        code = (
            "import importlib.util, runpy, sys\n"
            f"importlib.util.find_spec = lambda name: {'True' if installed else 'None'}\n"
            f"sys.argv = ['app.py', '--mcp', *{options!r}]\n"
            "runpy.run_path('app.py', run_name='__main__')\n"
        )
        result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 2
        return result.stderr

    (tmp_path / "accounts").write_text("anna:password")
    assert 'pip install "gradio[mcp]"' in said(False)
    assert "asks nobody for a password" in said(True, "--auth", str(tmp_path / "accounts"))
