"""Makes docs/screenshot.png: the real page, with a real answer to an example, in headless Chromium.

python docs/screenshot.py [--clip FILE] [--out docs/screenshot.png] [--dark] [--phone] [--tab NAME]
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402

import app  # noqa: E402
from phonolinguistic import EmotionRecognizer  # noqa: E402
from webui.layout import example_clips  # noqa: E402

DESKTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
MAX_BYTES = 400_000


def take(clip: Path, out: Path, dark: bool, phone: bool, tab: str | None) -> None:
    """Serve the page, compare the clip, and write a picture of the whole page."""
    page = app.serve(EmotionRecognizer.from_pretrained(), prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport=PHONE if phone else DESKTOP, color_scheme="dark" if dark else "light")
        view = context.new_page()
        view.set_default_timeout(120_000)
        view.goto(page.local_url)
        view.locator("#pl-clip input[type=file]").set_input_files(str(clip))
        view.locator("#pl-clip button[aria-label=Play]").wait_for()
        view.locator("#pl-compare").click()
        view.locator("#pl-comparison .pl-card").first.wait_for()
        if tab:
            view.get_by_role("tab", name=tab, exact=True).click()
        view.mouse.move(0, 0)
        view.wait_for_timeout(1200)  # the waveform is drawn in a moment of its own
        view.screenshot(path=str(out), full_page=True)
        browser.close()
    page.close(verbose=False)
    size = out.stat().st_size
    print(f"{out}: {size / 1000:.0f} kB")
    if size > MAX_BYTES:
        raise SystemExit(f"The picture is over {MAX_BYTES / 1000:.0f} kB.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, help="default: the first example")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshot.png")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--phone", action="store_true")
    parser.add_argument("--tab")
    given = parser.parse_args()
    take(given.clip or example_clips()[0], given.out, given.dark, given.phone, given.tab)


if __name__ == "__main__":
    main()
