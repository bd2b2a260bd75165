"""Command lines of trainings, made from their configuration classes."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sair_core.config import from_dict
from sair_core.errors import SairError

FLAGS = {"start": "--from", "kind": "--model"}  # `from` is a keyword of Python
NEEDED = dataclasses.MISSING
RUNS = Path("runs")  # where the newest run is looked for


def run_command(
    arguments: list[str] | None,
    *,
    prog: str,
    description: str,
    config_class: type,
    help: Mapping[str, str],
    part: str,
    start: Callable[[Any, str | None], Path],
    done: Callable[[Path], str],
) -> int:
    """Parse, train, say where the model is; exit code 2 for errors that the user can mend.

    help: text of every option, by field. part: where `train.json` keeps this configuration.
    start: `(config, what to resume or None)` to the model's folder. done: what to say then.
    """
    fields = {f.name: f for f in dataclasses.fields(config_class)}
    parser = argparse.ArgumentParser(prog, description=description)
    for name, text in help.items():
        _add(parser, fields[name], text)
    parser.add_argument(
        "--no-bf16", action="store_true", help="compute in float32 even where bfloat16 is faster"
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="latest",
        choices=("latest", "previous"),
        help="continue the run in --output (default: the newest in runs/) exactly, from its latest state or "
        "the one before; its configuration is kept",
    )
    args = parser.parse_args(arguments)
    given = {k: v for k, v in vars(args).items() if k in help and v is not None}
    if args.no_bf16:
        given["bf16"] = False
    source = next(name for name, field in fields.items() if field.default is NEEDED)
    if args.resume and not args.output:
        args.output = given["output"] = newest_run(part)
    if not args.output or not (source in given or args.resume):
        parser.error(f"--output is needed, and --{source} unless --resume is given")
    try:
        if args.resume:
            given = {**saved(Path(args.output), part), **given}
        model = start(from_dict(config_class, given), args.resume)
    except SairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(done(model))
    return 0


def _add(parser: argparse.ArgumentParser, field: dataclasses.Field, text: str) -> None:
    """One option. No argparse defaults: what is not typed comes from the run being resumed, or the class."""
    flag = FLAGS.get(field.name, "--" + field.name.replace("_", "-"))
    shown = {"dest": field.name, "metavar": field.name.upper()}
    if field.type.startswith("tuple[str"):
        parser.add_argument(flag, nargs="+", action="extend", **{**shown, "metavar": "FOLDER"}, help=text)
        return
    stated = field.default is not NEEDED and field.default is not None
    text = f"{text} (default: {field.default})" if stated else text
    if field.type.startswith("tuple[float"):
        parser.add_argument(flag, nargs=2, type=float, **shown, help=text)
        return
    kinds = (("int", int), ("float", float), ("bool", _yes_or_no))
    kind = next((kind for name, kind in kinds if field.type.startswith(name)), str)
    parser.add_argument(flag, type=kind, **shown, help=text)


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise argparse.ArgumentTypeError(f"say yes or no, not {text!r}")
    return text == "yes"


def newest_run(part: str) -> str | None:
    """The run of this kind in RUNS whose state was saved last."""
    states = [f for f in RUNS.glob("*/state.pt") if saved(f.parent, part)]
    return str(max(states, key=lambda f: f.stat().st_mtime).parent) if states else None


def saved(folder: Path, part: str) -> dict[str, Any]:
    """The configuration of a run; empty where there is none."""
    path = folder / "train.json"
    return json.loads(path.read_text(encoding="utf-8")).get(part, {}) if path.exists() else {}
