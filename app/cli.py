"""The command `sair`."""

from .__main__ import main as open_app


def main() -> None:
    open_app()
