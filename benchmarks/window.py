"""How long the window stands still while the panel works.

Opens the real panel in napari, presses every button that starts a job, and records the gaps
of a 5 ms timer in the window's thread during each job; a gap of 100 ms is what a user feels
as a stutter. Then steps the slider and plays with every overlay shown, and loads and unloads
the model several times. Beside it stands what napari alone needs, without a plugin, to add a
layer and to step through as many plain layers in memory.

    xvfb-run -a python benchmarks/window.py --out DIR

Prints the result as JSON and as a markdown table; with --out it writes both there.
"""

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from provenance import provenance
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication
from reporting import report

from napari_calm.core.footprints import Footprints
from napari_calm.widgets.demo import press, settle, wait_until
from napari_calm.widgets.panel import CalmPanel
from napari_calm.widgets.recording_layers import FOOTPRINTS_KEY
from napari_calm.widgets.warm_up import warm_up

TIMER_MS = 5


class GapMeter:
    """Gaps between the ticks of a timer in the thread that draws the window.

    A gap that ends while the job runs is the worker's; one that ends after it went into
    drawing the result, which software rendering makes slow.
    """

    def __init__(self, is_working: Callable[[], bool]) -> None:
        self._is_working = is_working
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._began = self._last = 0.0
        self._working_ms: list[float] = []
        self._drawing_ms: list[float] = []
        self._worked_s = 0.0

    def _tick(self) -> None:
        now = time.perf_counter()
        working = self._is_working()
        (self._working_ms if working else self._drawing_ms).append((now - self._last) * 1000)
        if working:
            self._worked_s = now - self._began
        self._last = now

    def __enter__(self) -> "GapMeter":
        self._working_ms.clear()
        self._drawing_ms.clear()
        self._began = self._last = time.perf_counter()
        self._timer.start(TIMER_MS)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._timer.stop()

    def result(self) -> dict[str, float]:
        """Summarise the gaps since the meter was entered."""
        return {
            "seconds_working": round(self._worked_s, 3),
            "longest_gap_working_ms": round(max(self._working_ms, default=0.0), 1),
            "gap_99_working_ms": round(float(np.percentile(self._working_ms or [0], 99)), 1),
            "longest_gap_drawing_ms": round(max(self._drawing_ms, default=0.0), 1),
        }


def add_recording(
    viewer: napari.Viewer, n_neurons: int, n_frames: int, seed: int, least_side: int = 0
) -> None:
    """Add a movie of noise with square ROIs that flicker, and the ROIs' Labels layer."""
    rng = np.random.default_rng(seed)
    per_row = int(np.ceil(np.sqrt(n_neurons)))
    side = max(8 * per_row, least_side)
    frames = rng.integers(80, 120, (n_frames, side, side), dtype=np.uint16)
    pixels = []
    for neuron in range(n_neurons):
        row, column = divmod(neuron, per_row)
        y, x = np.divmod(np.arange(36), 6)
        y, x = y + 8 * row, x + 8 * column
        pixels.append((y, x, np.ones(36)))
        walk = np.abs(np.cumsum(rng.normal(size=n_frames))).astype(np.uint16)
        frames[:, y, x] += walk[:, None]
    footprints = Footprints.from_pixels(pixels, (side, side))
    space = {"scale": (1.0, 1.0), "units": ("um", "um")}
    viewer.add_image(frames, name="movie", scale=(1 / 6, 1, 1), units=("s", "um", "um"))
    viewer.add_labels(
        footprints.label_image, name="ROIs", metadata={FOOTPRINTS_KEY: footprints}, **space
    )


def measure(args: argparse.Namespace) -> dict:
    """Press Extract, Tokenise and twice Forecast, metering each."""
    viewer = napari.Viewer()
    viewer.window.resize(1600, 1000)
    settle(1.0)
    began = time.perf_counter()
    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel, name="CalM", area="right")
    opening = {"build_s": round(time.perf_counter() - began, 2), "import_s": import_seconds()}
    jobs = {}
    with GapMeter(lambda: panel.model.looking) as meter:
        wait_until(lambda: not panel.model.looking, "looking for models")
        jobs["first drawing, import torch"] = meter.result()
    with GapMeter(warm_up().is_alive) as meter:
        wait_until(lambda: not warm_up().is_alive(), "the warm-up")
        jobs["warm-up after it"] = meter.result()
    if args.model:
        panel.model.choose(args.model)
    else:
        from napari_calm.model.calm import CalmModel
        from napari_calm.model.checkpoint import save_model

        folder = Path(tempfile.mkdtemp()) / "random"
        save_model(CalmModel.random(seed=0, head=True), folder)
        panel.model.choose(str(folder))
    settle(0.5)
    add_recording(viewer, args.neurons, args.frames, args.seed, args.side)
    panel.forecast.samples.setValue(args.samples)
    panel.forecast.horizon.setValue(args.horizon_s)
    settle(1.0)
    for name, button in (
        ("extract", panel.recording.extract),
        ("tokenise", panel.tokens.tokenise),
        ("forecast", panel.forecast.forecast),
        # From now on the layer is there and only its data change.
        ("forecast again", panel.forecast.forecast),
    ):
        if name.startswith("forecast"):
            panel.session.seek(args.frames / 6 * (0.7 if name == "forecast" else 0.8))
            settle(0.5)
        with GapMeter(lambda: panel.job.working) as meter:
            press(panel, button)
            settle(0.5)
            jobs[name] = meter.result()
    more, memory = explore_jobs(panel, args), []
    jobs |= more
    slider = slider_step_ms(viewer, panel)
    playing = [play(panel, speed) for speed in (1.0, 5.0)]
    shown = [type(layer).__name__ for layer in viewer.layers]
    model = panel.session.model
    for _ in range(args.rounds):
        memory.append(load_and_unload(panel))
    pixels = " x ".join(map(str, panel.session.recording.footprints.image_shape))
    viewer.close()
    alone = napari_alone(args, shown.count("Image"), shown.count("Labels"))
    return {
        "opening": opening,
        "slider_step_ms": slider,
        "playing": playing,
        "napari_alone": alone,
        "slider_step_ratio": round(slider["median"] / alone["median"], 2),
        "resident_mb_after_rounds": memory,
        "model": model.name,
        "device": str(model.device),
        "neurons": args.neurons,
        "frames": args.frames,
        "pixels": pixels,
        "samples": args.samples,
        "horizon_s": args.horizon_s,
        "about": provenance(),
        "jobs": jobs,
    }


def import_seconds() -> float:
    """Seconds to import the panel in a process that has napari's window already."""
    code = (
        "import time, napari._qt.qt_main_window; began = time.perf_counter(); "
        "import napari_calm.widgets.panel; print(time.perf_counter() - began)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return round(float(done.stdout), 2)


def explore_jobs(panel: CalmPanel, args: argparse.Namespace) -> dict:
    """Press what is left: scoring, clusters, trajectories, adapting where there is a head."""
    jobs = {}
    panel.embedding.choices.setting.setValue(6)
    panel.embedding.choices.resamplings.setValue(4)
    for name, button in (
        ("score", panel.forecast.here.score),
        ("cluster", panel.embedding.cluster),
        ("trajectories", panel.embedding.column.trajectories),
        ("adapt", panel.adapt.adapt),
    ):
        if name == "adapt" and not args.adapt:
            continue
        if not button.isEnabled():
            continue
        with GapMeter(lambda: panel.job.working) as meter:
            press(panel, button)
            settle(0.5)
            jobs[name] = meter.result()
    return jobs


def slider_step_ms(viewer: napari.Viewer, panel: CalmPanel) -> dict[str, float]:
    """Step the slider with every overlay shown; time from the step to the drawn canvas."""
    panel.forecast.error_map.setChecked(True)
    panel.session.seek(panel.session.forecast.start_s)
    for layer in viewer.layers:
        layer.visible = True
    settle(1.0)
    return step_ms(viewer)


def play(panel: CalmPanel, speed: float, for_s: float = 5.0) -> dict[str, float]:
    """Play with every overlay shown; tell how well it keeps time, and what is drawn."""
    playback, session = panel.traces.playback, panel.session
    session.seek(session.forecast.start_s)
    settle(0.5)
    drawn_s = []

    def on_time() -> None:
        drawn_s.append(session.time_s)

    session.time_changed.connect(on_time)
    playback.set_speed(speed)
    began_s, first_s = time.perf_counter(), session.time_s
    playback.start()
    settle(for_s)
    passed_s = time.perf_counter() - began_s
    playback.stop()
    session.time_changed.disconnect(on_time)
    return {
        "speed": speed,
        "kept_speed": round((session.time_s - first_s) / passed_s, 2),
        "frames_per_s": round(len(drawn_s) / passed_s, 1),
        "frames_due_per_s": round(speed * session.recording.frame_rate_hz, 1),
    }


def napari_alone(args: argparse.Namespace, n_images: int, n_labels: int) -> dict[str, float]:
    """Add plain layers as large to a napari without the panel, and step through them."""
    viewer = napari.Viewer()
    viewer.window.resize(1600, 1000)
    add_recording(viewer, args.neurons, 60, args.seed, args.side)
    settle(1.0)
    movie, rois = viewer.layers
    rois.visible = False
    viewer.dims.set_current_step(0, 0)
    settle(0.5)
    movie_alone = step_ms(viewer)["median"]
    rois.visible = True
    gaps = []
    for number in range(n_images - 1 + n_labels - 1):
        with GapMeter(lambda: False) as meter:
            if number < n_images - 1:
                viewer.add_image(
                    movie.data, scale=movie.scale, units=movie.units, blending="additive"
                )
            else:
                viewer.add_labels(rois.data, scale=rois.scale, units=rois.units)
            settle(0.5)
            gaps.append(meter.result()["longest_gap_drawing_ms"])
    viewer.dims.set_current_step(0, 0)
    settle(0.5)
    found = step_ms(viewer) | {
        "movie_alone_median": movie_alone,
        "longest_gap_adding_a_layer_ms": max(gaps),
    }
    viewer.close()
    return found


def step_ms(viewer: napari.Viewer) -> dict[str, float]:
    """Step the slider 30 frames on."""
    first = viewer.dims.current_step[0]
    took = []
    for step in range(1, 31):
        began = time.perf_counter()
        viewer.dims.set_current_step(0, first + step)
        # Slicing is synchronous; the drawing is an event, which this handles.
        QApplication.processEvents()
        took.append((time.perf_counter() - began) * 1000)
    return {
        "layers": len(viewer.layers),
        "median": round(float(np.median(took)), 1),
        "longest": round(max(took), 1),
    }


def load_and_unload(panel: CalmPanel) -> float:
    """Load the model by tokenising, unload it, and return the resident memory in MB."""
    press(panel, panel.tokens.tokenise)
    panel.model.unload.click()
    settle(0.2)
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def as_markdown(result: dict) -> str:
    """Write the result as a table with a line of what was measured."""
    head = (
        f"{result['model']} on {result['device']}, {result['neurons']} neurons x "
        f"{result['frames']} frames, {result['samples']} samples, {result['horizon_s']:g} s "
        f"horizon, {result['about']['machine']}, commit {result['about']['commit']}\n\n"
        "| job | seconds in the worker | longest gap meanwhile (ms) | 99 % of them below (ms) "
        "| longest gap drawing the result (ms) |\n|---|---|---|---|---|\n"
    )
    slider, memory = result["slider_step_ms"], result["resident_mb_after_rounds"]
    alone = result["napari_alone"]
    tail = (
        f"\nOpening the panel: {result['opening']['import_s']} s for its imports, "
        f"{result['opening']['build_s']} s to build it.\n"
        f"Slider step with {slider['layers']} layers shown, {result['pixels']} pixels: "
        f"median {slider['median']} ms, longest {slider['longest']} ms. napari alone with as "
        f"many plain layers: median {alone['median']} ms, longest {alone['longest']} ms (ratio "
        f"{result['slider_step_ratio']}), with the movie alone "
        f"{alone['movie_alone_median']} ms; "
        "adding one of those layers stops the window "
        f"for up to {alone['longest_gap_adding_a_layer_ms']} ms.\n"
    )
    for each in result["playing"]:
        tail += (
            f"Playing {each['speed']:g}x goes {each['kept_speed']}x as fast as recorded and "
            f"shows {each['frames_per_s']} of {each['frames_due_per_s']} frames a second.\n"
        )
    if memory:
        tail += (
            f"Resident memory after each of {len(memory)} rounds of loading and unloading: "
            f"{', '.join(map(str, memory))} MB.\n"
        )
    return (
        head
        + "".join(
            f"| {name} | {' | '.join(map(str, job.values()))} |\n"
            for name, job in result["jobs"].items()
        )
        + tail
    )


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder for window.json and window.md")
    parser.add_argument("--model", default="", help="bundled model or checkpoint folder")
    parser.add_argument("--neurons", type=int, default=200)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--horizon-s", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=10, help="of loading and unloading")
    parser.add_argument("--side", type=int, default=0, help="pixels; just enough if not given")
    parser.add_argument("--adapt", action="store_true", help="adapt as well, which takes long")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    result = measure(args)
    report(result, as_markdown(result), args.out, "window")


if __name__ == "__main__":
    main()
