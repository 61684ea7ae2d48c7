"""A small load test: several visitors at once on one recogniser, and whether they get the answers they get alone.

python -m benchmarks.concurrency --visitors 8
"""

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from phonolinguistic import EmotionRecognizer

from .common import ROOT, clips, median, parse, parser, write

AT_ONCE = 2  # as the page: more side by side only makes each slower


def main() -> None:
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--visitors", type=int, default=8, help="threads that ask at once (default 8)")
    options.add_argument("--at-once", type=int, default=AT_ONCE, help=f"requests that run at once (default {AT_ONCE})")
    values = parse(options)
    recognizer = EmotionRecognizer.from_pretrained()
    paths = [str(next((ROOT / "examples").rglob(name))) for name in clips()]
    alone = {path: recognizer.compare(path) for path in paths}
    gate = threading.Semaphore(values.at_once)

    def visit(number: int) -> tuple[float, float, float]:
        """-> seconds with the wait, seconds without, largest difference of a score from the answer alone."""
        path = paths[number % len(paths)]
        asked = time.perf_counter()
        with gate:
            started = time.perf_counter()
            answer = recognizer.compare(path)
        ended = time.perf_counter()
        differences = [
            abs(score - alone[path].modes[mode].scores[emotion])
            for mode, recognition in answer.modes.items()
            for emotion, score in recognition.scores.items()
        ]
        return ended - asked, ended - started, max(differences, default=0.0)

    start = time.perf_counter()
    with ThreadPoolExecutor(values.visitors) as pool:
        visits = list(pool.map(visit, range(values.visitors * values.repeats)))
    wall = time.perf_counter() - start
    whole, inside, differences = zip(*visits, strict=True)
    results = {
        "visitors": values.visitors,
        "at_once": values.at_once,
        "requests": len(visits),
        "requests_per_second": round(len(visits) / wall, 3),
        "seconds_with_wait": {"median": median(whole), "p95": round(statistics.quantiles(whole, n=20)[-1], 4)},
        "seconds_running": {"median": median(inside), "p95": round(statistics.quantiles(inside, n=20)[-1], 4)},
        "largest_score_difference": max(differences),
    }
    write("concurrency", results, values, device=recognizer.device)


if __name__ == "__main__":
    main()
