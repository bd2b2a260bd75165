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

FLAGS = {"start": "--from"}  # `from` is a keyword of Python
NEEDED = dataclasses.MISSING


def run_command(
    arguments: list[str] | None,
    *,
    prog: str,
    description: str,
    config_class: type,
    help: Mapping[str, str],
    part: str,
    start: Callable[[Any, bool], Path],
    done: Callable[[Path], str],
) -> int:
    """Parse, train, say where the model is; exit code 2 for errors that the user can mend.

    help: text of every option, by field. part: where `train.json` keeps this configuration.
    start: `(config, resume)` to the model's folder. done: what to say then.
    """
    fields = {f.name: f for f in dataclasses.fields(config_class)}
    parser = argparse.ArgumentParser(prog, description=description)
    for name, text in help.items():
        _add(parser, fields[name], text)
    parser.add_argument(
        "--no-bf16", action="store_true", help="compute in float32 even where bfloat16 is faster"
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --output; its configuration is kept"
    )
    args = parser.parse_args(arguments)
    given = {k: v for k, v in vars(args).items() if k in help and v is not None}
    if args.no_bf16:
        given["bf16"] = False
    source = next(name for name, field in fields.items() if field.default is NEEDED)
    if not args.output or not (source in given or args.resume):
        parser.error(f"--output is needed, and --{source} unless --resume is given")
    try:
        if args.resume:
            given = {**_saved(Path(args.output), part), **given}
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
    kind = next((kind for name, kind in (("int", int), ("float", float)) if field.type.startswith(name)), str)
    parser.add_argument(flag, type=kind, **shown, help=text)


def _saved(folder: Path, part: str) -> dict[str, Any]:
    path = folder / "train.json"
    return json.loads(path.read_text(encoding="utf-8")).get(part, {}) if path.exists() else {}
