"""Confusion matrices and reliability diagrams as small PNG files for a model's card."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from phonolinguistic.calibration import BINS, reliability

DPI = 80


def _figure(width: float, height: float):
    """A figure of its own, without the global state of pyplot and without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def confusion_png(confusion: list[list[int]], labels: list[str], title: str, file: Path) -> Path:
    """Rows are the truth, columns the answer; cells show percent of their row and are shaded by it."""
    counts = np.array(confusion, dtype=float)
    share = counts / np.maximum(1, counts.sum(1, keepdims=True))
    figure = _figure(5.2, 4.6)
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(labels)):
        for column in range(len(labels)):
            value = f"{share[row, column] * 100:.0f}" if counts[row].sum() else "–"
            dark = share[row, column] > 0.55
            axes.text(column, row, value, ha="center", va="center", fontsize=9, color="white" if dark else "black")
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), [f"{n} ({int(c)})" for n, c in zip(labels, counts.sum(1), strict=True)])
    axes.set_xlabel("answered (% of row)")
    axes.set_ylabel("truth (count)")
    axes.set_title(title, fontsize=10)
    return _save(figure, file)


def reliability_png(curves: dict[str, tuple[np.ndarray, np.ndarray]], title: str, file: Path) -> Path:
    """Accuracy against confidence; `curves`: name -> (probabilities (rows, classes), labels (rows,)). A point is a bin
    with at least 1 % of the rows, its size grows with them."""
    figure = _figure(4.2, 4.0)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle="--")
    for name, (probabilities, labels) in curves.items():
        table = reliability(probabilities, labels, BINS)
        shown = table.counts >= max(1, 0.01 * table.counts.sum())
        line = axes.plot(table.confidence[shown], table.accuracy[shown], linewidth=1, label=name)[0]
        sizes = 10 + 120 * table.counts[shown] / table.counts.sum()
        axes.scatter(table.confidence[shown], table.accuracy[shown], s=sizes, color=line.get_color())
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy")
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8, loc="upper left")
    return _save(figure, file)


def _save(figure, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, format="png", metadata={"Software": None}, pil_kwargs={"optimize": True})
    return file
