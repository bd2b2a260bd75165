"""SAIR Studio: `python app.py` opens the photo editor in the browser."""

import sys

from app.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
