"""The page's Gradio theme (system fonts only, so that no other host is asked) and its style sheet."""

from pathlib import Path

import gradio as gr

STYLE_SHEET = Path(__file__).with_name("style.css")

# Gradio quotes names that it does not know as generic; quoted names of missing fonts are simply passed over.
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Ubuntu", "Noto Sans", "DejaVu Sans", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Consolas", "DejaVu Sans Mono", "monospace")


def page_theme() -> gr.themes.Base:
    """Calm neutrals and one teal accent, for light and dark."""
    fonts = [gr.themes.Font(name) for name in _FONTS]
    mono = [gr.themes.Font(name) for name in _MONO]
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=fonts,
        font_mono=mono,
    ).set(
        body_background_fill="#f5f7f8",
        body_background_fill_dark="#0d1417",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#141d21",
        background_fill_secondary="#f5f7f8",
        background_fill_secondary_dark="#0f171a",
        block_background_fill="#ffffff",
        block_background_fill_dark="#141d21",
        block_border_width="1px",
        border_color_primary="#dde4e6",
        border_color_primary_dark="#28363c",
        block_border_color="#dde4e6",
        block_border_color_dark="#28363c",
        body_text_color="#14212a",
        body_text_color_dark="#e8eff1",
        body_text_color_subdued="#4c5f69",
        body_text_color_subdued_dark="#a3b4bc",
        button_primary_background_fill="#0f766e",
        button_primary_background_fill_hover="#115e59",
        button_primary_background_fill_dark="#0f766e",
        button_primary_background_fill_hover_dark="#0d9488",
        color_accent="#0f766e",
        color_accent_soft="#d9efec",
        color_accent_soft_dark="#163b3a",
        input_background_fill="#ffffff",
        input_background_fill_dark="#0f171a",
        input_border_color="#c9d3d6",
        input_border_color_dark="#34454c",
        input_border_width="1px",
        checkbox_label_background_fill="#eef2f3",
        checkbox_label_background_fill_dark="#1c282d",
        checkbox_label_background_fill_selected="#d9efec",
        checkbox_label_background_fill_selected_dark="#163b3a",
        button_secondary_background_fill="#e6ecee",
        button_secondary_background_fill_hover="#d8e1e4",
        button_secondary_background_fill_dark="#243237",
        button_secondary_background_fill_hover_dark="#2e4047",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
    )
