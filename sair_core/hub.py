"""`python -m sair_core.hub push`: the earlier name of `python -m sair_core.training.push`."""

import sys

from sair_core.command_line import exit_status
from sair_core.errors import ConfigError
from sair_core.training.push import main


def _push(command: str = "push", *arguments: str) -> int:
    if command != "push":
        raise ConfigError("A Space has a command of its own. Use sair space, or python -m app.host.space")
    return main(arguments, prog="python -m sair_core.hub push")


if __name__ == "__main__":
    sys.exit(exit_status(lambda: _push(*sys.argv[1:])))
