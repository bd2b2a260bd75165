"""The commands of `sair` that work on one photo: a module each, with its options and `main`."""
