"""The app on a Hugging Face Space: which files it needs, and how they get there."""

from __future__ import annotations

import re
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.utils import filter_repo_objects

from sair_core.errors import ConfigError
from sair_core.weights.network import HUB_ERRORS

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
REPO = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


def space_files(root: Path = ROOT) -> list[str]:
    """What is uploaded, as paths below root, sorted."""
    paths = [
        p.relative_to(root).as_posix() for name in _tops() for p in (root / name).rglob("*") if p.is_file()
    ]
    paths += [name for name in WANTED if (root / name).is_file()]
    return sorted(filter_repo_objects(paths, allow_patterns=WANTED, ignore_patterns=IGNORED))


def upload(repo: str, *, private: bool = False, root: Path = ROOT) -> str:
    """Create the Space unless it exists, bring it up to date in one commit, and give its address.

    Raises ConfigError for a name that is none and where the hub refuses.
    """
    if not REPO.fullmatch(repo):
        raise ConfigError(f"--repo {repo!r} is no name of a Space. Write it as user/name.")
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
