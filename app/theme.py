"""Colours, type and corners of the page."""

from __future__ import annotations

from gradio.themes import Base
from gradio.themes.utils import colors, sizes

# Fonts of the system only: nothing is fetched, and text is there at once.
SANS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "Helvetica Neue",
    "Arial",
    "sans-serif",
)
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def studio_theme() -> Base:
    """Return a quiet grey frame, so that the photo has the colours, with one accent for what comes next."""
    theme = Base(
        primary_hue=colors.teal,
        secondary_hue=colors.teal,
        neutral_hue=colors.zinc,
        radius_size=sizes.radius_lg,
        text_size=sizes.text_md,
        font=SANS,
        font_mono=MONO,
    )
    return theme.set(
        body_background_fill="white",
        body_background_fill_dark="#1b1b1f",
        background_fill_primary="white",
        background_fill_primary_dark="#1b1b1f",
        background_fill_secondary="#f7f7f8",
        background_fill_secondary_dark="#232328",
        body_text_color="#1d1d21",
        body_text_color_dark="#ededf0",
        body_text_color_subdued="#5f5f68",
        body_text_color_subdued_dark="#a3a3ad",
        border_color_primary="#e2e2e6",
        border_color_primary_dark="#37373e",
        color_accent="#0f766e",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_label_text_weight="500",
        block_title_text_weight="500",
        button_primary_background_fill="#0f766e",
        button_primary_background_fill_dark="#0f766e",
        button_primary_background_fill_hover="#0d665f",
        button_primary_background_fill_hover_dark="#128a80",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="#2c2c32",
        button_secondary_background_fill_hover="#f0f0f2",
        button_secondary_background_fill_hover_dark="#37373e",
        button_secondary_border_color="#dcdce1",
        button_secondary_border_color_dark="#3f3f46",
        button_border_width="1px",
        button_transition="background .12s, border-color .12s, opacity .2s",
        button_primary_shadow="none",
        button_secondary_shadow="none",
        input_background_fill="white",
        input_background_fill_dark="#2c2c32",
        slider_color="#0f766e",
        slider_color_dark="#14a094",
        checkbox_label_background_fill="white",
        checkbox_label_background_fill_dark="#2c2c32",
        checkbox_label_background_fill_selected="#e6f4f2",
        checkbox_label_background_fill_selected_dark="#143c39",
        checkbox_background_color_selected="#0f766e",
        checkbox_border_color_selected="#0f766e",
    )
