"""What the page adds to the recogniser's own time: from the press of "Compare all four" to four cards on the screen.

    python benchmarks/page_overhead.py [--clip FILE] [--runs 15] [--out benchmarks/results/page_overhead.json]

A headless Chromium presses the button on the real page; the recogniser's time is taken inside the same request.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import gradio  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

import app  # noqa: E402
from phonolinguistic import EmotionRecognizer  # noqa: E402
from phonolinguistic.provenance import provenance  # noqa: E402
from webui.layout import example_clips  # noqa: E402

LIMIT_MS = 150
# Presses the button; resolves, one painted frame later, when the comparison has been replaced.
PRESS = """() => new Promise(done => {
    const view = document.querySelector("#pl-comparison");
    view.querySelectorAll(".pl-card").forEach(card => card.dataset.old = 1);
    const start = performance.now();
    const observer = new MutationObserver(() => {
        if (view.querySelectorAll(".pl-card:not([data-old])").length !== 4) return;
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
    });
    observer.observe(view, {childList: true, subtree: true});
    document.querySelector("#pl-compare").click();
})"""


class Timed:
    """The recogniser with a clock around compare()."""

    def __init__(self, recognizer):
        self._recognizer = recognizer
        self.milliseconds: list[float] = []

    def __getattr__(self, name):
        return getattr(self._recognizer, name)

    def compare(self, clip):
        start = time.perf_counter()
        answer = self._recognizer.compare(clip)
        self.milliseconds.append((time.perf_counter() - start) * 1000)
        return answer


def measure(clip: Path, runs: int) -> dict:
    """Press `runs` times after two presses for warming up. Returns medians and the worst, in milliseconds."""
    recognizer = Timed(EmotionRecognizer.from_pretrained())
    page = app.serve(recognizer, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        tab.goto(page.local_url)
        tab.locator("#pl-clip input[type=file]").set_input_files(str(clip))
        tab.locator("#pl-clip button[aria-label=Play]").wait_for()
        totals = []
        for _ in range(runs + 2):
            totals.append(tab.evaluate(PRESS))
            tab.wait_for_timeout(700)  # the words are explained after the answer; let that end
        browser.close()
    page.close(verbose=False)
    own = [total - inside for total, inside in zip(totals, recognizer.milliseconds, strict=True)][2:]
    return {
        "clip": clip.name,
        "runs": runs,
        "press_to_cards_ms": round(statistics.median(totals[2:]), 1),
        "recogniser_ms": round(statistics.median(recognizer.milliseconds[2:]), 1),
        "page_overhead_ms": {"median": round(statistics.median(own), 1), "max": round(max(own), 1)},
        "limit_ms": LIMIT_MS,
        "provenance": provenance(),
        "machine": {"cpu_cores": os.cpu_count(), "python": platform.python_version(), "gradio": gradio.__version__},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, help="default: the first example")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    result = measure(arguments.clip or example_clips()[0], arguments.runs)
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text + "\n", encoding="utf-8")
    return 0 if result["page_overhead_ms"]["median"] < LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
