"""How quickly the views of a large recording follow the user.

Shows random traces in the trace panel, the raster and the scatter, turns the wheel, drags,
seeks and selects as a user would, and measures each time from the event until everything it
changes has been painted.

    xvfb-run -a python benchmarks/views.py --out DIR

Prints the result as JSON and as a markdown table; with --out it writes both there.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import napari
import numpy as np
from provenance import provenance
from qtpy.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_calm.core.recording import Recording
from napari_calm.explore.neuron_map import NeuronMap
from napari_calm.widgets.demo import settle, wait_until
from napari_calm.widgets.explore_panel import ExplorePanel
from napari_calm.widgets.session import Session
from napari_calm.widgets.trace_panel import TracePanel

RATE_HZ = 10.0
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
CTRL, PLAIN = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier


class Paints(QObject):
    """Counts how often a widget was painted."""

    def __init__(self, widget) -> None:
        super().__init__()
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, _watched, event) -> bool:
        """Count."""
        self.count += event.type() == QEvent.Type.Paint
        return False


def took_ms(plot, acts: Iterable[Callable[[], object]]) -> dict[str, float]:
    """Do things one by one; each is over when `plot` is painted and nothing is left to do."""
    paints, took = Paints(plot.viewport()), []
    for act in acts:
        settle(0.3)
        before, began = paints.count, time.perf_counter()
        act()
        while paints.count == before and time.perf_counter() - began < 5:
            QApplication.processEvents()
        # What the painting itself asked for.
        QApplication.processEvents()
        took.append((time.perf_counter() - began) * 1000)
    plot.viewport().removeEventFilter(paints)
    return {
        "times": len(took),
        "median_ms": round(float(np.median(took)), 1),
        "longest_ms": round(max(took), 1),
    }


def wheel(plot, steps: int, modifiers=PLAIN) -> Callable[[], object]:
    """Return an act that turns the wheel over the middle of the plot."""

    def act() -> None:
        view = plot.viewport()
        at = QPointF(view.rect().center())
        event = QWheelEvent(
            at,
            QPointF(view.mapToGlobal(at.toPoint())),
            QPoint(),
            QPoint(0, 120 * steps),
            NONE,
            modifiers,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(view, event)

    return act


def move(plot, at: QPointF, kind=QEvent.Type.MouseMove, buttons=NONE) -> None:
    """Send one event of the mouse to a plot."""
    view = plot.viewport()
    button = NONE if kind == QEvent.Type.MouseMove else LEFT
    place = QPointF(view.mapToGlobal(at.toPoint()))
    QApplication.sendEvent(view, QMouseEvent(kind, at, place, button, buttons, PLAIN))


def random_recording(n_neurons: int, n_frames: int, seed: int) -> Recording:
    """Return slow random traces in groups of 50 neurons."""
    rng = np.random.default_rng(seed)
    traces = np.empty((n_neurons, n_frames), np.float32)
    for start in range(0, n_neurons, 50):
        some = traces[start : start + 50]
        some[:] = np.abs(np.cumsum(rng.normal(0, 0.05, n_frames)))
        some += rng.standard_normal(some.shape, np.float32) * 0.2
    return Recording(traces, RATE_HZ, name="random")


def measure_traces(panel: TracePanel, session: Session) -> dict:
    """Zoom, seek and select in the trace panel."""
    plot, rows, end_s = panel.plot, {}, session.recording.duration_s
    rng = np.random.default_rng(0)
    for count in (5, 50):
        picks = [tuple(rng.permutation(session.recording.n_neurons)[:count]) for _ in range(8)]
        plot.view_time(0, 120)
        rows[f"traces: select {count}, 2 minutes in view"] = took_ms(
            plot, [lambda p=p: session.select(tuple(map(int, p))) for p in picks]
        )
        plot.view_time(0, end_s)
        rows[f"traces: select {count}, all in view"] = took_ms(
            plot, [lambda p=p: session.select(tuple(map(int, p))) for p in picks[::-1]]
        )
        settle(1.0)
        rows[f"traces: wheel in, {count} selected"] = took_ms(plot, [wheel(plot, 1)] * 12)
        rows[f"traces: wheel out, {count} selected"] = took_ms(plot, [wheel(plot, -1)] * 12)
        plot.view_time(0, 120)
        rows[f"traces: seek in view, {count} selected"] = took_ms(
            plot, [lambda t=t: session.seek(t) for t in np.linspace(5, 115, 20)]
        )
        rows[f"traces: seek beyond the view, {count} selected"] = took_ms(
            plot, [lambda t=t: session.seek(t) for t in rng.uniform(200, end_s - 200, 12)]
        )
    return rows


def measure_raster(explore: ExplorePanel, session: Session) -> dict:
    """Zoom, seek and select in the raster."""
    view, rows = explore.raster, {}
    began = time.perf_counter()
    wait_until(lambda: view._levels is not None, "preparing the raster")
    rows["raster: preparing, once"] = once(began)
    settle(1.0)
    plot = view.plot
    rng = np.random.default_rng(1)
    rows["raster: wheel in, time"] = took_ms(plot, [wheel(plot, 1)] * 15)
    rows["raster: wheel out, time"] = took_ms(plot, [wheel(plot, -1)] * 15)
    rows["raster: wheel in, neurons"] = took_ms(plot, [wheel(plot, 1, CTRL)] * 12)
    rows["raster: wheel out, neurons"] = took_ms(plot, [wheel(plot, -1, CTRL)] * 12)
    end_s = session.recording.duration_s
    rows["raster: seek"] = took_ms(
        plot, [lambda t=t: session.seek(t) for t in rng.uniform(0, end_s, 20)]
    )
    neurons = rng.permutation(session.recording.n_neurons)
    for count in (50, 2000):
        picks = [tuple(map(int, np.roll(neurons, 7 * shift)[:count])) for shift in range(6)]
        rows[f"raster: select {count}"] = took_ms(
            plot, [lambda p=p: session.select(p) for p in picks]
        )
    if hasattr(view, "sorting"):
        began = time.perf_counter()
        view.sorting.by.setCurrentText("similar activity")
        view.sorting.changed.emit()
        wait_until(lambda: view.sorting._similar is not None, "sorting")
        rows["raster: sort by similar activity, once"] = once(began)
        settle(0.5)
        view.sorting.by.setCurrentText("colour")
    return rows


def once(began: float) -> dict[str, float]:
    """Return how long something took that is done once."""
    took = round((time.perf_counter() - began) * 1000, 1)
    return {"times": 1, "median_ms": took, "longest_ms": took}


def measure_scatter(explore: ExplorePanel, session: Session, n_points: int) -> dict:
    """Zoom, look around and lasso in a scatter of many points."""
    rng = np.random.default_rng(2)
    session.set_recording(random_recording(n_points, 600, 2))
    clouds = 6 * rng.normal(size=(8, 2))[rng.integers(0, 8, n_points)]
    points = rng.normal(size=(n_points, 2)) + clouds
    none = np.zeros(n_points, bool)
    session.set_embedding(None, NeuronMap(points, "PCA", np.array([0.5, 0.3]), none))
    session.set_colour_by("mean_dff")
    settle(2.0)
    plot, rows = explore.scatter.plot, {}
    rows[f"scatter of {n_points:,}: wheel in"] = took_ms(plot, [wheel(plot, 1)] * 12)
    rows[f"scatter of {n_points:,}: wheel out"] = took_ms(plot, [wheel(plot, -1)] * 12)
    rows[f"scatter of {n_points:,}: colour by another feature"] = took_ms(
        plot, [lambda n=n: session.set_colour_by(n) for n in ("accepted", "mean_dff") * 3]
    )
    rect = plot.viewport().rect()
    places = rng.uniform(0.2, 0.8, (20, 2)) * (rect.width(), rect.height())
    took = []
    for x, y in places:
        began = time.perf_counter()
        move(plot, QPointF(x, y))
        QApplication.processEvents()
        took.append((time.perf_counter() - began) * 1000)
        settle(0.05)
    rows[f"scatter of {n_points:,}: mouse over points"] = {
        "times": len(took),
        "median_ms": round(float(np.median(took)), 1),
        "longest_ms": round(max(took), 1),
    }
    angles = np.linspace(0, 2 * np.pi, 60)
    middle = QPointF(rect.center())
    ring = [
        middle + QPointF(0.25 * rect.width() * np.cos(a), 0.3 * rect.height() * np.sin(a))
        for a in angles
    ]

    def lasso() -> None:
        move(plot, ring[0], QEvent.Type.MouseButtonPress, LEFT)
        for at in ring:
            move(plot, at, QEvent.Type.MouseMove, LEFT)
            time.sleep(0.011)
        began.append(time.perf_counter())
        move(plot, ring[-1], QEvent.Type.MouseButtonRelease)
        for _ in range(3):
            QApplication.processEvents()
        ended.append(time.perf_counter())

    began, ended = [], []
    for _ in range(3):
        session.select(())
        settle(0.5)
        lasso()
    took = (np.array(ended) - began) * 1000
    many = f"{len(session.selection):,}"
    rows[f"scatter of {n_points:,}: letting go of a lasso around {many}"] = {
        "times": len(took),
        "median_ms": round(float(np.median(took)), 1),
        "longest_ms": round(float(took.max()), 1),
    }
    rows[f"scatter of {n_points:,}: wheel, with that selection"] = took_ms(
        plot, [wheel(plot, step) for step in (1, -1) * 5]
    )
    return rows


def peak_mb() -> float:
    """Return the most memory that the process has had, MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def measure(args: argparse.Namespace) -> dict:
    """Open both docks and go through them."""
    viewer = napari.Viewer()
    viewer.window.resize(1600, 1000)
    session = Session()
    traces, explore = TracePanel(viewer, session), ExplorePanel(viewer, session)
    viewer.window.add_dock_widget(traces, name="CalM traces", area="bottom")
    recording = random_recording(args.neurons, args.frames, args.seed)
    settle(0.5)
    memory = {"traces_mb": round(recording.traces.nbytes / 2**20, 1), "before_mb": peak_mb()}
    began = time.perf_counter()
    session.set_recording(recording)
    QApplication.processEvents()
    acts = {"opening, until the traces are painted": once(began)}
    settle(1.0)
    acts["nothing but painting the plot again"] = took_ms(
        traces.plot, [traces.plot.viewport().update] * 12
    )
    acts |= measure_traces(traces, session)
    memory["after_traces_mb"] = peak_mb()
    viewer.window.add_dock_widget(explore, name="CalM explore", area="bottom", tabify=True)
    explore.parentWidget().raise_()
    acts |= measure_raster(explore, session)
    memory["after_raster_mb"] = peak_mb()
    acts |= measure_scatter(explore, session, args.points)
    explore.release_once()
    traces.release_once()
    viewer.close()
    return {
        "neurons": args.neurons,
        "frames": args.frames,
        "about": provenance(),
        "load": round(os.getloadavg()[0], 1),
        "memory": memory,
        "acts": acts,
    }


def as_markdown(result: dict) -> str:
    """Write the result as a table with a line of what was measured."""
    memory = result["memory"]
    return (
        f"{result['neurons']} neurons x {result['frames']} frames, "
        f"{result['about']['machine']}, load {result['load']}, commit "
        f"{result['about']['commit']}, {result['about']['date']}\n\n"
        "| act | times | median (ms) | longest (ms) |\n|---|---|---|---|\n"
        + "".join(
            f"| {name} | {' | '.join(map(str, act.values()))} |\n"
            for name, act in result["acts"].items()
        )
        + f"\nPeak memory, of which the traces are {memory['traces_mb']} MB: "
        f"{memory['before_mb']} MB before they are shown, {memory['after_traces_mb']} MB after "
        f"the trace panel, {memory['after_raster_mb']} MB after the raster.\n"
    )


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder for views.json and views.md")
    parser.add_argument("--neurons", type=int, default=5000)
    parser.add_argument("--frames", type=int, default=50_000)
    parser.add_argument("--points", type=int, default=20_000, help="of the scatter")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    result = measure(args)
    text = json.dumps(result, indent=2)
    print(text)
    print(as_markdown(result))
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "views.json").write_text(text + "\n")
        (args.out / "views.md").write_text(as_markdown(result))


if __name__ == "__main__":
    main()
