"""Models, composed of encoders and decoders."""
