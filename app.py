"""The Space: load the models, build the page, serve it. Settings come from environment variables:

PHONOLINGUISTIC_FUSION, PHONOLINGUISTIC_MULTITASK, PHONOLINGUISTIC_ASR   a directory or org/repo[@revision] each
GRADIO_SERVER_NAME, GRADIO_SERVER_PORT                                   where to listen (default 127.0.0.1:7860)
"""

import logging
import os

import gradio as gr

import phonolinguistic
from webui.incoming import forget_uploads_of_agents
from webui.layout import AT_ONCE, build_page
from webui.theme import STYLE_SHEET, page_theme
from webui.zerogpu import is_zero_gpu

MAX_WAITING = 32  # further visitors are told to come back instead of waiting for minutes


def serve(recognizer, **options) -> gr.Blocks:
    """Build the page around `recognizer` and launch it; `options` go to Gradio's launch(). Returns the page."""
    # Neither telemetry nor a version check: nobody learns who uses the page.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    page: gr.Blocks = build_page(recognizer)
    page.queue(max_size=MAX_WAITING, default_concurrency_limit=AT_ONCE)
    settings = {
        "theme": page_theme(),
        "css_paths": [STYLE_SHEET],
        "max_file_size": "50mb",
        "mcp_server": True,
        "run_history": False,
        "ssr_mode": False,
        "footer_links": ["api", "settings"],
        "show_error": False,
    }
    stay = not options.pop("prevent_thread_lock", False)
    page.launch(**(settings | options), prevent_thread_lock=True)
    forget_uploads_of_agents(page)  # the MCP server is there now
    if stay:
        page.block_thread()
    return page


def main() -> None:
    """Load what the environment names, or the embedded release, and serve until stopped."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # On ZeroGPU there is no GPU yet to warm up on: it is borrowed call by call.
    serve(phonolinguistic.EmotionRecognizer.from_pretrained(warm_up=not is_zero_gpu()))


if __name__ == "__main__":
    main()
