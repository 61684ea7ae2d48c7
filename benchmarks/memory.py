"""Resident memory with everything loaded, and how long the app takes from its start to its first page.

python -m benchmarks.memory
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from .common import ROOT, clips, parse, parser, write

LOAD = """
import json, sys, time
start = time.perf_counter()
from phonolinguistic import EmotionRecognizer
recognizer = EmotionRecognizer.from_pretrained()
loaded = time.perf_counter() - start
recognizer.compare(sys.argv[1])
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(json.dumps({"load_seconds": round(loaded, 2), **{k: int(status[v].split()[0]) // 1024 for k, v in
    (("resident_mb", "VmRSS"), ("peak_mb", "VmHWM"))}}))
"""


def recognizer_alone(clip: str) -> dict:
    """Load everything in a process of its own and answer one clip."""
    import json

    run = subprocess.run([sys.executable, "-c", LOAD, clip], cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(run.stdout.splitlines()[-1])


def app(clip: str, limit: float = 300.0) -> dict:
    """Start app.py, wait for its page, and let it answer a clip."""
    from gradio_client import Client, handle_file

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1"}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    answer.read()
                    break
            except (urllib.error.URLError, OSError):
                if process.poll() is not None or time.perf_counter() - start > limit:
                    raise SystemExit("app.py did not come up.") from None
                time.sleep(0.1)
        ready = time.perf_counter() - start
        Client(f"http://127.0.0.1:{port}/", verbose=False).predict(handle_file(clip), api_name="/compare")
        with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
            status = dict(line.split(":", 1) for line in file if ":" in line)
        megabytes = {k: int(status[v].split()[0]) // 1024 for k, v in (("resident_mb", "VmRSS"), ("peak_mb", "VmHWM"))}
        return {"ready_seconds": round(ready, 2)} | megabytes
    finally:
        process.terminate()
        process.wait(20)


def main() -> None:
    values = parse(parser(__doc__.splitlines()[0]))
    values.repeats = 1  # each in a process of its own, once
    name = next(iter(clips()))
    clip = str(next((ROOT / "examples").rglob(name)))
    os.environ["OMP_NUM_THREADS"] = str(values.threads)
    results = {
        "recognizer": recognizer_alone(clip),
        "app": app(clip),
        "targets": {"resident_mb": 1500, "ready_seconds": 20},
    }
    write("memory", results, values)


if __name__ == "__main__":
    main()
