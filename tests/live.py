"""One live page for all tests that need a server: the real app on the embedded release, on a free port."""

import atexit
import functools
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@functools.cache
def page_url(models: Path) -> str:
    """The address of the page; it is started once and closed when the tests end."""
    import app
    from phonolinguistic import EmotionRecognizer

    recognizer = EmotionRecognizer.from_pretrained(
        fusion=str(models / "fusion"), multitask=str(models / "multitask"), asr=str(models / "asr")
    )
    page = app.serve(recognizer, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    atexit.register(page.close, verbose=False)
    return page.local_url.rstrip("/")


def example_clip() -> Path:
    """A spoken example that ships with the repository."""
    return sorted(path for path in EXAMPLES.iterdir() if path.suffix in (".flac", ".ogg", ".wav"))[0]
