"""Who may open the app, where not everybody may."""

from __future__ import annotations

from pathlib import Path

from sair_core.errors import ConfigError


def read_accounts(path: Path) -> list[tuple[str, str]]:
    """`(user, password)` of every line "user:password" of a file; empty lines and "#" lines are left out.

    Raises ConfigError; its message never holds what the file holds.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"--auth {path} cannot be read ({type(error).__name__}): check the path.") from None
    accounts = []
    for number, line in enumerate(lines, start=1):
        user, colon, password = line.strip().partition(":")
        if not line.strip() or line.startswith("#"):
            continue
        if not (user and colon and password):
            raise ConfigError(f"--auth {path}, line {number} is not user:password. Write it so.")
        accounts.append((user, password))
    if not accounts:
        raise ConfigError(f"--auth {path} names nobody: write a line user:password for each.")
    return accounts
