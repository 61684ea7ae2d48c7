"""The page's layout: one clip on the left, seven tabs on the right."""

from functools import partial
from pathlib import Path

import gradio as gr

from phonolinguistic.labels import MODES

from . import words
from .about import about_view, fallback_notices
from .api import Api
from .guard import Guard
from .handlers import Handlers
from .incoming import GuardedBlocks
from .views import header, message, notice, welcome

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
EXAMPLE_SUFFIXES = (".flac", ".ogg", ".wav")

# Clips are deleted by Gradio: looked at every minute, removed at the latest 20 minutes after they came.
CACHE_CHECK_SECONDS = 60
CACHE_AGE_SECONDS = 19 * 60

# All that runs a network shares one limit, so that a crowd waits in the queue instead of making everyone slow: two runs
# keep a two-core machine busy.
AT_ONCE = 2
SHARED = {"concurrency_id": "networks", "concurrency_limit": AT_ONCE}
QUIET = {"api_visibility": "private", **SHARED}


def example_clips(folder: Path = EXAMPLES) -> list[Path]:
    """The clips that ship with the repository, in the order of their names."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in EXAMPLE_SUFFIXES)


def build_page(recognizer, examples: Path = EXAMPLES) -> gr.Blocks:
    """The whole page around one recogniser. Queue, theme and limits are set where it is launched (app.py)."""
    guard = Guard(recognizer)
    with GuardedBlocks(
        title=words.TITLE,
        analytics_enabled=False,
        delete_cache=(CACHE_CHECK_SECONDS, CACHE_AGE_SECONDS),
        fill_width=True,
    ) as page:
        _api(Api(guard))  # first, so that its names are not taken by the page's own events
        gr.HTML(header() + fallback_notices(recognizer.models))
        with gr.Row(elem_id="pl-body"):
            with gr.Column(scale=1, min_width=300, elem_id="pl-side"):
                clip = gr.Audio(
                    sources=["upload", "microphone"],
                    type="filepath",
                    label="Your clip",
                    elem_id="pl-clip",
                    buttons=["download"],
                )
                # The player above takes nothing that calls itself a video, and webm and mp4 do.
                other = gr.UploadButton(words.OTHER_FILE, file_types=["audio", "video"], size="sm", elem_id="pl-other")
                other.upload(lambda path: path, [other], [clip], queue=False, api_visibility="private")
                gr.HTML(notice())
                clips = example_clips(examples)
                if clips:
                    # Served from where they lie: a copy among the uploads would be deleted with them.
                    gr.set_static_paths([examples])
                    gr.Examples(
                        [[str(path)] for path in clips],
                        [clip],
                        label="Examples",
                        example_labels=[path.stem.replace("_", " ").replace("-", " ") for path in clips],
                        elem_id="pl-examples",
                        examples_per_page=12,
                        cache_examples=False,
                        api_visibility="private",
                    )
            with gr.Column(scale=3, min_width=320):
                with gr.Tabs(elem_id="pl-tabs"):
                    _tabs(Handlers(guard), recognizer, clip)
    return page


def _tabs(handlers: Handlers, recognizer, clip: gr.Audio) -> None:
    """Compare, one tab for each mode, Timeline, About; events are wired once every output exists."""
    label = words.COMPARE_BUTTON if len(recognizer.modes) == len(MODES) else words.COMPARE_SOME_BUTTON
    with gr.Tab("Compare", id="compare"):
        compare = gr.Button(label, variant="primary", elem_id="pl-compare")
        comparison = gr.HTML(welcome(label, recognizer.modes), elem_id="pl-comparison")
    buttons, views = {}, {}
    for mode in MODES:
        name = words.MODE_NAMES[mode]
        with gr.Tab(name, id=mode):
            gr.HTML(f'<p class="pl-muted">{words.MODE_SUMMARIES[mode]}</p>')
            buttons[mode] = gr.Button(
                words.MODE_BUTTON.format(name=name),
                variant="primary",
                elem_id=f"pl-run-{mode}",
                interactive=mode in recognizer.modes,
            )
            if mode == "text":
                typed = gr.Textbox(
                    label=words.TYPED_LABEL, info=words.TYPED_HELP, lines=2, max_length=1000, elem_id="pl-typed"
                )
                read = gr.Button(words.TYPED_BUTTON, elem_id="pl-read")
                influence = gr.HTML("", elem_id="pl-influence")
            hint = words.MODE_HINT.format(name=name, button=label)
            if mode not in recognizer.modes:
                hint = words.NOT_AVAILABLE.format(modes=", ".join(recognizer.modes))
            views[mode] = gr.HTML(message(hint, "hint"), elem_id=f"pl-view-{mode}")
    with gr.Tab("Timeline", id="timeline"):
        gr.HTML(f'<p class="pl-muted">{words.TIMELINE_HINT}</p>')
        available = [(words.MODE_NAMES[mode], mode) for mode in recognizer.modes]
        first = "multitask" if "multitask" in recognizer.modes else available[-1][1]
        choice = gr.Radio(available, value=first, label=words.TIMELINE_MODE, elem_id="pl-timeline-mode")
        follow = gr.Button(words.TIMELINE_BUTTON, variant="primary", elem_id="pl-follow")
        over_time = gr.HTML("", elem_id="pl-timeline")
    with gr.Tab("About", id="about"):
        gr.HTML(about_view(recognizer.models))

    on_words = {"inputs": [typed], "outputs": [influence], "show_progress": "hidden", **QUIET}
    compare.click(
        handlers.compare,
        [clip],
        [comparison, *views.values(), typed, influence],
        show_progress_on=[comparison],
        **QUIET,
    ).success(handlers.explain, **on_words)
    for mode in MODES:
        if mode == "text":
            continue
        buttons[mode].click(partial(handlers.recognize, mode=mode), [clip], [views[mode]], **QUIET)
    buttons["text"].click(
        handlers.recognize_words, [clip], [views["text"], typed, influence], show_progress_on=[views["text"]], **QUIET
    ).success(handlers.explain, **on_words)
    gr.on(
        [read.click, typed.submit],
        handlers.read_typed,
        [typed],
        [views["text"], influence],
        show_progress_on=[views["text"]],
        **QUIET,
    )
    follow.click(handlers.timeline, [clip, choice], [over_time], **QUIET)


def _api(api: Api) -> None:
    """The four public endpoints, on components that the page does not show."""
    clip = gr.Audio(type="filepath", label="clip", visible=False)
    mode = gr.Radio(list(MODES), value="multitask", label="mode", visible=False)
    answer = gr.JSON(visible=False)
    endpoints = (
        (api.compare, [clip]),
        (api.recognize, [clip, mode]),
        (api.timeline, [clip, mode]),
        (api.model_info, []),
    )
    for function, inputs in endpoints:
        name = function.__name__
        gr.Button(name, visible=False).click(function, inputs, [answer], api_name=name, **(SHARED if inputs else {}))
