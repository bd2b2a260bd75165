"""The app's way to the models."""
