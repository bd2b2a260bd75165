"""A folder of photos filled at once: `python -m sair_core.batch`."""
