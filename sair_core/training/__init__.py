"""Training a model on folders of photos: `python -m sair_core.training --help`."""
