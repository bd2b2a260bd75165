"""Training of the bundled text-aligned encoder: `python -m sair_core.training.align`."""
