"""The app on a Hugging Face Space, the files it needs and their way there: `sair space`."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated

from huggingface_hub import HfApi
from huggingface_hub.utils import filter_repo_objects

from sair_core.command_line import Option, run_command
from sair_core.config import strict_dataclass
from sair_core.errors import ConfigError
from sair_core.files import ASSETS
from sair_core.weights.network import HUB_ERRORS, require_repo

ROOT = Path(__file__).resolve().parents[2]
# What the running app reads, and what its page on the hub shows; trainings, tests and tools stay here.
WANTED = [
    "app.py",
    "app/*",
    "sair_core/*",
    "assets/*",
    "docs/*",
    "README.md",
    "SECURITY.md",
    "LICENSE",
    "requirements.txt",
]
IGNORED = ["*/__pycache__/*", "__pycache__/*", "*.pyc", "*.pyi", "*/.*", ".*"]
LAUNCHER = "import sys\n\nfrom app.__main__ import main\n\nsys.exit(main())\n"


def space_files(root: Path = ROOT) -> list[str]:
    """What is uploaded, as paths below root, sorted."""
    paths = [
        p.relative_to(root).as_posix() for name in _tops() for p in (root / name).rglob("*") if p.is_file()
    ]
    paths += [name for name in WANTED if (root / name).is_file()]
    return sorted(filter_repo_objects(paths, allow_patterns=WANTED, ignore_patterns=IGNORED))


@contextlib.contextmanager
def space_root() -> Iterator[Path]:
    """Give the tree whose files are uploaded: the checkout, or what `lay_out` makes of an installed wheel."""
    if __package__.startswith("app."):
        yield ROOT
        return
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder))
        yield Path(folder)


def lay_out(root: Path) -> None:
    """Write the installed packages into a folder as they lie in a checkout."""
    core = ASSETS.parent
    shutil.copytree(Path(__file__).parents[1], root / "app")
    shutil.copytree(core, root / "sair_core", ignore=lambda folder, _: ["assets"] * (Path(folder) == core))
    shutil.copytree(ASSETS, root / "assets")
    about = metadata.distribution("sair-studio")
    needed = [line for line in about.requires or () if "extra ==" not in line]
    texts = {
        "app.py": LAUNCHER,
        "README.md": about.metadata["Description"],
        "LICENSE": about.read_text("licenses/LICENSE") or "",
        "requirements.txt": "\n".join(needed) + "\n",
    }
    for name, text in texts.items():
        (root / name).write_text(text, encoding="utf-8")


def upload(repo: str, *, private: bool = False, root: Path = ROOT) -> str:
    """Create the Space unless it exists, bring it up to date in one commit, and give its address.

    Raises ConfigError for a name that is none and where the hub refuses.
    """
    require_repo(repo, "a Space")
    api = HfApi()
    try:
        api.create_repo(repo, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repo, repo_type="space", folder_path=root, allow_patterns=WANTED, ignore_patterns=IGNORED,
            delete_patterns=[name for name in WANTED if name.endswith("/*")],  # what is no longer here
            commit_message="SAIR Studio",
        )  # fmt: skip
    except HUB_ERRORS as error:
        raise ConfigError(
            f"The hub did not take it ({error}). Check the network, and log in with: hf auth login"
        ) from error
    return f"https://huggingface.co/spaces/{repo}"


def _tops() -> list[str]:
    return [name.removesuffix("/*") for name in WANTED if name.endswith("/*")]


@strict_dataclass
class SpaceOptions:
    """Put the app on a Hugging Face Space."""

    repo: Annotated[str, Option(metavar="USER/NAME")]
    """the Space, created if there is none"""
    private: bool = False
    """a new Space is seen by its owner only"""
    dry_run: bool = False
    """only list what would be uploaded"""


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m app.host.space") -> int:
    """Run the command line and return its exit status."""
    return run_command(_put, SpaceOptions, argv, prog=prog)


def _put(options: SpaceOptions) -> None:
    require_repo(options.repo, "a Space")
    with space_root() as root:
        if options.dry_run:
            _list(options.repo, root)
            return
        address = upload(options.repo, private=options.private, root=root)
    print(f"The Space is at {address}; it builds for a few minutes.")


def _list(repo: str, root: Path) -> None:
    files = space_files(root)
    sizes = [(root / name).stat().st_size / 1e6 for name in files]
    print("\n".join(f"{size:8.2f} MB  {name}" for name, size in zip(files, sizes)))
    print(f"{len(files)} files, {sum(sizes):.1f} MB, would go to {repo}. Nothing was uploaded.")


if __name__ == "__main__":
    sys.exit(main())
