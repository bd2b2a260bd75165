"""`python -m sair_core.training.push`: a trained model on the Hugging Face hub."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import HfApi

from sair_core.errors import ConfigError, DataError, SairError
from sair_core.weights.network import HUB_ERRORS, require_repo


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, or 2 with a message."""
    parser = argparse.ArgumentParser(
        prog="python -m sair_core.training.push",
        description="Share a trained model, with a card that tells its figures.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="--output folder of a training")
    parser.add_argument("--best", action="store_true", help="the best model by validation, not the latest")
    add_repo_options(parser, "model")
    args = parser.parse_args(argv)
    try:
        print(f"The model is at {push(args.run, args.repo, private=args.private, best=args.best)}")
    except SairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def push(run: Path, repo: str, *, private: bool = False, best: bool = False) -> str:
    """Upload a run's model (or its best one) with its card in one commit, and return its address.

    Raises DataError for a folder without a run, ConfigError for a bad name and where the hub refuses.
    """
    # Here, so that `--help` and the names of this module do not wait for torch.
    from sair_core.training.card import model_card, public_facts
    from sair_core.training.monitor import CURVES_NAME
    from sair_core.training.state import BEST, MODEL
    from sair_core.weights.checkpoint import CONFIG_NAME, WEIGHTS_NAME

    require_repo(repo, "a model")
    card = model_card(run, repo)
    source = run / (BEST if best else MODEL)
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        if not (source / name).is_file():
            why = ": no validation of this run was better than its first. Leave --best out" if best else ""
            raise DataError(f"There is no {source / name}{why}.")
    api = HfApi()
    with tempfile.TemporaryDirectory() as folder:
        for path in (source / CONFIG_NAME, source / WEIGHTS_NAME, run / CURVES_NAME):
            if path.is_file():
                shutil.copy2(path, folder)
        facts = json.dumps(public_facts(run), indent=2)
        (Path(folder) / "train.json").write_text(facts + "\n", encoding="utf-8")
        (Path(folder) / "README.md").write_text(card, encoding="utf-8")
        try:
            api.create_repo(repo, repo_type="model", private=private, exist_ok=True)
            api.upload_folder(repo_id=repo, folder_path=folder, commit_message="A model of SAIR Studio")
        except HUB_ERRORS as error:
            raise ConfigError(
                f"The hub did not take it ({error}). Check the network, and log in with: hf auth login"
            ) from error
    return f"{api.endpoint}/{repo}"


def add_repo_options(parser: argparse.ArgumentParser, what: str) -> None:
    """--repo and --private, for whatever is put on the hub."""
    parser.add_argument(
        "--repo", required=True, metavar="USER/NAME", help=f"the {what}, created if there is none"
    )
    parser.add_argument("--private", action="store_true", help=f"a new {what} is seen by its owner only")


if __name__ == "__main__":
    sys.exit(main())
