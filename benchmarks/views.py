"""How quickly the views of a large recording follow the user.

Shows random traces in the trace panel, the raster and the scatter, turns the wheel, drags,
seeks and selects as a user would, and measures each time from the event until everything it
changes has been painted.

    xvfb-run -a python benchmarks/views.py --out DIR

Prints the result as JSON and as a markdown table; with --out it writes both there.
"""

import argparse
import os
import resource
import time
from pathlib import Path

import napari
import numpy as np
from acts import CTRL, LEFT, SHIFT, move, once, took_ms, wheel
from provenance import provenance
from qtpy.QtCore import QEvent, QPointF
from qtpy.QtWidgets import QApplication
from reporting import report

from napari_calm.core.recording import Recording
from napari_calm.explore.neuron_map import NeuronMap
from napari_calm.widgets.demo import settle, wait_until
from napari_calm.widgets.explore_panel import ExplorePanel
from napari_calm.widgets.session import Session
from napari_calm.widgets.trace_panel import TracePanel

RATE_HZ = 10.0
# Neurons selected in the trace panel, as far as there are so many.
SELECTED = (5, 50, 5000)


def random_recording(n_neurons: int, n_frames: int, seed: int) -> Recording:
    """Return slow random traces in groups of 50 neurons."""
    rng = np.random.default_rng(seed)
    traces = np.empty((n_neurons, n_frames), np.float32)
    for start in range(0, n_neurons, 50):
        some = traces[start : start + 50]
        some[:] = np.abs(np.cumsum(rng.normal(0, 0.05, n_frames)))
        some += rng.standard_normal(some.shape, np.float32) * 0.2
    return Recording(traces, RATE_HZ, name="random")


def measure_traces(panel: TracePanel, session: Session, counts: tuple[int, ...]) -> tuple:
    """Select so many neurons in the trace panel; zoom, scroll, seek, and look at all of them.

    Returns
    -------
    (dict, list of dict)
        How long each act took, and how many rows there were of each selection.
    """
    plot, acts, rows = panel.plot, {}, []
    rng, n_neurons = np.random.default_rng(0), session.recording.n_neurons
    end_s = session.recording.duration_s
    for count in counts:
        order = rng.permutation(n_neurons)
        picks = [tuple(np.roll(order, 7 * shift)[:count].tolist()) for shift in range(8)]
        name = f"traces, {count:,} selected"
        plot.view_time(0, 120)
        acts[f"{name}: select, two minutes in view"] = took_ms(
            plot, [lambda p=p: session.select(p) for p in picks]
        )
        plot.view_time(0, end_s)
        acts[f"{name}: select, all of the time in view"] = took_ms(
            plot, [lambda p=p: session.select(p) for p in picks[-2::-1]]
        )
        settle(1.0)
        found = {"selected": plot.n_rows, "in_view": len(plot.rows_in_view)}
        if not found["selected"] == len(session.selection) == count:
            raise SystemExit(f"{count} neurons were to be selected; found {found}.")
        acts[f"{name}: wheel in time"] = took_ms(
            plot, [wheel(plot, 1)] * 12 + [wheel(plot, -1)] * 12
        )
        if not plot.shows_all_rows:
            acts[f"{name}: scroll"] = took_ms(plot, [wheel(plot, -1, SHIFT)] * 12)
            acts[f"{name}: a page down"] = took_ms(plot, [lambda: plot.page(1)] * 8)
            acts[f"{name}: lower and taller rows"] = took_ms(
                plot, [wheel(plot, -1, CTRL)] * 6 + [wheel(plot, 1, CTRL)] * 6
            )
            acts |= measure_fitted(panel, name, found)
        plot.view_time(0, 120)
        acts[f"{name}: seek in view"] = took_ms(
            plot, [lambda t=t: session.seek(t) for t in np.linspace(5, 115, 20)]
        )
        acts[f"{name}: seek beyond the view"] = took_ms(
            plot, [lambda t=t: session.seek(t) for t in rng.uniform(200, end_s - 200, 12)]
        )
        rows.append(found)
    return acts, rows


def measure_fitted(panel: TracePanel, name: str, found: dict) -> dict:
    """Bring all rows into view and zoom in time, as soon as they are prepared."""
    plot, acts = panel.plot, {}
    acts[f"{name}: fit all"] = took_ms(plot, [lambda: plot.fit_all(True)])
    found["fitted_row_px"] = round(plot.row_px, 2)
    found["are_shades"] = plot.is_heat
    if plot.is_heat:
        wait_until(lambda: plot.has_levels, "preparing the traces")
    settle(0.5)
    acts[f"{name}: all in view, wheel in time"] = took_ms(
        plot, [wheel(plot, 1)] * 12 + [wheel(plot, -1)] * 12
    )
    plot.fit_all(False)
    return acts


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
        session.set_sort_by("similar activity")
        wait_until(lambda: view.sorting._similar is not None, "sorting")
        rows["raster: sort by similar activity, once"] = once(began)
        settle(0.5)
        session.set_sort_by("colour")
    return rows


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
    counts = tuple(sorted({min(count, args.neurons) for count in SELECTED}))
    of_traces, rows = measure_traces(traces, session, counts)
    acts |= of_traces
    # The raster is to prepare them itself, as it does for those who look at it first.
    traces.release_once()
    memory["after_traces_mb"] = peak_mb()
    viewer.window.add_dock_widget(explore, name="CalM explore", area="bottom", tabify=True)
    explore.parentWidget().raise_()
    acts |= measure_raster(explore, session)
    memory["after_raster_mb"] = peak_mb()
    acts |= measure_scatter(explore, session, args.points)
    explore.release_once()
    viewer.close()
    return {
        "neurons": args.neurons,
        "frames": args.frames,
        "about": provenance(),
        "load": round(os.getloadavg()[0], 1),
        "memory": memory,
        "rows": rows,
        "acts": acts,
    }


def as_markdown(result: dict) -> str:
    """Write the result as a table with a line of what was measured."""
    memory = result["memory"]
    rows = "; ".join(
        f"{found['selected']:,} selected, {found['in_view']} of them in view"
        + (f", {found['fitted_row_px']} pixels a row when all are" if len(found) > 2 else "")
        for found in result["rows"]
    )
    return (
        f"{result['neurons']} neurons x {result['frames']} frames, "
        f"{result['about']['machine']}, load {result['load']}, commit "
        f"{result['about']['commit']}, {result['about']['date']}\n\n"
        "| act | times | median (ms) | longest (ms) |\n|---|---|---|---|\n"
        + "".join(
            f"| {name} | {' | '.join(map(str, act.values()))} |\n"
            for name, act in result["acts"].items()
        )
        + f"\nRows of the trace panel: {rows}.\n\n"
        f"Peak memory, of which the traces are {memory['traces_mb']} MB: "
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
    report(result, as_markdown(result), args.out, "views")


if __name__ == "__main__":
    main()
