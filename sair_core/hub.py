"""`python -m sair_core.hub push`: the earlier name of `python -m sair_core.training.push`."""

import sys

from sair_core.training.push import main

if __name__ == "__main__":
    command, *rest = sys.argv[1:] or ["push"]
    if command == "push":
        sys.exit(main(rest))
    sys.exit("error: the Space has a command of its own: python -m app.host.space")
