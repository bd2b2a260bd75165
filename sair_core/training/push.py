"""Share a trained model on the Hugging Face hub: `python -m sair_core.training.push`."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from huggingface_hub import HfApi

from sair_core.command_line import Option, run_command
from sair_core.config import strict_dataclass
from sair_core.errors import ConfigError, DataError
from sair_core.weights.network import HUB_ERRORS, require_repo


@strict_dataclass
class PushOptions:
    """Share a trained model on the Hugging Face hub, with a card that tells its figures."""

    run: Annotated[Path, Option(positional=True)]
    """--output folder of a training"""
    repo: Annotated[str, Option(metavar="USER/NAME")]
    """the model on the hub, created if there is none"""
    private: bool = False
    """a new model is seen by its owner only"""
    best: bool = False
    """the best model by validation, not the latest"""


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m sair_core.training.push") -> int:
    """Run the command line and return its exit status."""
    return run_command(_push, PushOptions, argv, prog=prog)


def _push(options: PushOptions) -> None:
    address = push(options.run, options.repo, private=options.private, best=options.best)
    print(f"The model is at {address}")


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
            hint = (
                "no validation of this run was better than its first. Leave --best out."
                if best
                else "give the --output folder of a training."
            )
            raise DataError(f"There is no {source / name}: {hint}")
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


if __name__ == "__main__":
    sys.exit(main())
