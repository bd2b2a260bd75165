"""SAIR Studio: `python app.py` opens the photo editor in the browser."""

from app.__main__ import main

if __name__ == "__main__":
    main()
