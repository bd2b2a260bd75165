"""The Semantics tab: what every pixel is."""
