"""What the tabs share, and how their buttons are tied to actions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from ..serving.service import FillService
from ..session import Session
from .protocol import handler


@dataclass(frozen=True)
class Workbench:
    """What every tab is given. session: holds the visitor's Session.

    The photo on the stage and the painted mask are shared in the browser, through static/workbench.js.
    """

    service: FillService
    session: gr.State

    def conversation(self, widget: gr.HTML) -> Conversation:
        return Conversation(widget, self.session)

    def signal(self, event: Callable[..., Any], act: Callable[[Session], None]) -> None:
        """On the event, act on the visitor's session at once, beside all work under way."""

        def run(session: Session | None) -> None:
            if session is not None:
                act(session)

        event(
            run, self.session, None, show_progress="hidden", api_visibility="private", concurrency_limit=None,
            trigger_mode="multiple",
        )  # fmt: skip


@dataclass(frozen=True)
class Conversation:
    """Between one widget and the server: an event sends a Request, the action's Answers go to the widget."""

    widget: gr.HTML
    session: gr.State

    def on(
        self,
        event: Callable[..., Any],
        action: Callable[..., Any],
        busy: str,
        more: Sequence[Component] = (),
        *,
        mask: bool = False,
        guide: bool = False,
        also: Sequence[Component] = (),
        model: bool = False,
        often: bool = False,
    ) -> None:
        """busy: the text shown until the first answer. more: components whose values are given after Request
        and Session; also: those that the action answers after its Answer. mask: send what is painted. guide:
        send it, as it is to be filled, and show at once about how. model: the action waits for the model.
        often: the widget sees to it that one answer comes before the next question; that question may follow
        on the answer's heels."""
        name = self.widget.elem_id  # the page's scripts know their widgets by it
        arguments = json.dumps([name, busy, "fill" if guide else "mask" if mask else ""])
        # The service works on one thing at a time; several are let in, so that those who wait are told so.
        queue: dict[str, Any] = {"concurrency_id": "model"} if model else {}
        # Gradio closes an event a little after its last answer, and "once" drops what is asked before that.
        mode = "multiple" if often else "once"
        dependency = event(
            handler(action), [self.widget, self.session, *more], [self.widget, *also],
            js=f"async (_, ...rest) => [await (await window.sair).request(...{arguments}), ...rest]",
            show_progress="hidden", api_visibility="private", concurrency_limit=4,
            trigger_mode=mode, **queue,
        )  # fmt: skip
        script = f"async () => (await window.sair).fail({json.dumps(name)})"
        dependency.failure(None, js=script, api_visibility="private")


def in_browser(event: Callable[..., Any], script: str, *components: Component, outputs: Any = None) -> None:
    """On the event, run a script without asking the server."""
    event(None, list(components) or None, outputs, js=script, api_visibility="private")


def command(event: Callable[..., Any], name: str, *components: Component) -> None:
    """On the event, run one of the `commands` of static/page.js with the components' values."""
    in_browser(event, f"async (...values) => (await window.sair).commands.{name}(...values)", *components)
