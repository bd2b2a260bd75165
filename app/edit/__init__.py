"""The Edit tab: open, paint, fill, compare, save."""
