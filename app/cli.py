"""The command `sair`; in a checkout, `python -m app.cli` is the same."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from importlib import import_module

from sair_core import __version__
from sair_core.command_line import ASKED_WRONGLY, DONE, exit_status

# The module whose `main(argv, prog=)` it is; imported when it is asked for.
COMMANDS = {
    "app": ".__main__",
    "fill": ".commands.fill",
    "zoom": ".commands.zoom",
    "name": ".commands.name",
    "select": ".commands.select",
    "batch": "sair_core.batch.__main__",
    "train": "sair_core.training.__main__",
    "align": "sair_core.training.align.__main__",
    "evaluate": "sair_core.evaluation.__main__",
    "evaluate fills": "sair_core.evaluation.__main__",
    "evaluate zoom": "sair_core.evaluation.zoom",
    "evaluate semantics": "sair_core.evaluation.semantics",
    "evaluate selection": "sair_core.evaluation.selection",
    "evaluate guided": "sair_core.evaluation.guided",
    "evaluate removal": "sair_core.evaluation.removal",
    "evaluate words": "sair_core.evaluation.words",
    "evaluate tables": "sair_core.experiments.__main__",
    "evaluate ablation": "sair_core.experiments.ablation",
    "push": "sair_core.training.push",
    "space": ".host.space",
}
OVERVIEW = f"""sair {__version__}: fill, zoom and name what is in photos

  sair app                        the editor, in the browser
  sair fill PHOTO MASK -o FILE    fill what a mask covers
  sair zoom PHOTO -o FILE         a photo, or a part of it, at any scale
  sair name PHOTO [LABELS]        what every pixel is, and each label's share
  sair select PHOTO -o FILE       the object under points, as a mask
  sair batch                      fill a folder of photos
  sair train, sair align          train a model, or the encoder that knows words
  sair evaluate                   figures: fills, zoom, semantics, selection, guided, removal, words;
                                  the papers' experiments: tables, ablation
  sair push, sair space           share a model, or the app, on the Hugging Face hub

sair COMMAND --help tells the options."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 some failed, 2 asked wrongly, 130 after Ctrl+C."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print(OVERVIEW)
        return DONE
    if argv[0] == "--version":
        print(f"sair {__version__}")
        return DONE
    return exit_status(lambda: _run(argv))


def _run(argv: Sequence[str]) -> int:
    for length in (2, 1):
        name = " ".join(argv[:length])
        if name in COMMANDS:
            command = import_module(COMMANDS[name], __package__)
            return command.main(argv[length:], prog=f"sair {name}")
    near = difflib.get_close_matches(argv[0], COMMANDS, n=1)
    meant = f"Did you mean sair {near[0]}?" if near else "sair alone shows what there is."
    print(f"error: There is no command {argv[0]!r}. {meant}", file=sys.stderr)
    return ASKED_WRONGLY


if __name__ == "__main__":
    sys.exit(main())
