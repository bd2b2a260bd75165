"""SAIR Studio: the photo editor in the browser. Widgets and wiring only; the work is done by `sair_core`."""
