"""`python -m sair_core.hub`: the app and trained models on the Hugging Face hub."""

import sys

from sair_core.training.push import main

if __name__ == "__main__":
    sys.exit(main())
