"""Pictures of every view of the window, in both themes, for the docs and for looking at.

    make screenshots

Presses the buttons a user would press on the sample, at 1600 x 1000 and 1280 x 800. All
pictures go to ``screenshots/``; those that the docs show are also copied, with fewer colours,
to ``docs/screenshots/``. ``--scale 2`` renders as a scaled 4K screen does (under xvfb-run with
``-screen 0 3840x2160x24``), ``--font-size 16`` with large letters.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QScrollArea, QWidget

from napari_calm.widgets.demo import press, settle, wait_until
from napari_calm.widgets.embedding_plot import EmbeddingPlot
from napari_calm.widgets.panel import CalmPanel

THEMES = ("dark", "light")
SIZES = ((1600, 1000), (1280, 800))
SHOWN_IN_DOCS = {
    "dark_1600x1000": ("forecast", "clusters", "trajectories", "codebook", "decoding", "tour"),
    "light_1280x800": ("forecast", "empty"),
}
_MOST_BYTES = 300_000


def scroll_to(panel: CalmPanel, widget: QWidget) -> None:
    """Bring a section of the panel into view, its heading at the top."""
    scroll = panel.findChild(QScrollArea)
    settle(0.2)
    scroll.verticalScrollBar().setValue(
        widget.mapTo(scroll.widget(), widget.rect().topLeft()).y()
    )


def hover_over(plot: EmbeddingPlot, neuron: int) -> None:
    """Move the mouse over the point of a neuron."""
    across, up = plot.neurons.getData()
    at = QPointF(across[neuron], up[neuron])
    place = plot.mapFromScene(plot.getViewBox().mapViewToScene(at))
    button = Qt.MouseButton.NoButton
    QApplication.sendEvent(
        plot.viewport(),
        QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(place),
            QPointF(plot.viewport().mapToGlobal(place)),
            button,
            button,
            Qt.KeyboardModifier.NoModifier,
        ),
    )


def views(panel: CalmPanel, model_name: str) -> Iterator[str]:
    """Go through the work and stop, with the name of what is seen, at every view."""
    session = panel.session
    panel.model.choose(model_name)
    yield "empty"
    panel.start_hint.tour.click()
    yield "tour"
    panel.tour.stop()
    panel.recording.opener.open_sample.click()
    yield "sample"
    press(panel, panel.recording.extract)
    yield "traces"
    press(panel, panel.tokens.tokenise)
    session.seek(60.0)
    yield "tokens"
    session.seek(84.0)
    press(panel, panel.forecast.forecast)
    session.seek(86.0)
    scroll_to(panel, panel.forecast)
    yield "forecast"
    panel.forecast.error_map.click()
    press(panel, panel.forecast.here.score)
    yield "skill"
    panel.forecast.error_map.click()
    press(panel, panel.embedding.cluster)
    scroll_to(panel, panel.embedding)
    yield "clusters"
    column = panel.embedding.column
    column.column.setCurrentText("cue")
    press(panel, column.selectivity)
    panel.embedding.more.heading.click()
    scroll_to(panel, panel.embedding)
    yield "selectivity"
    explore = panel.explore
    session.set_colour_by("cluster")
    explore.tabs.setCurrentWidget(explore.mean_traces)
    order, labels = session.clusters.order(), session.clusters.labels
    session.select(tuple(int(neuron) for neuron in order[labels[order] == 1]))
    yield "mean_traces"
    press(panel, column.trajectories)
    yield "trajectories"
    explore.tabs.setCurrentWidget(explore.table)
    yield "cluster_table"
    explore.tabs.setCurrentWidget(explore.raster)
    hover_over(explore.scatter.plot, neuron=7)
    yield "hover"
    explore.scatter.plot.leaveEvent(QEvent(QEvent.Type.Leave))
    panel.decode.variable.setCurrentText("cue")
    panel.decode.choices.shifts.setValue(5)
    press(panel, panel.decode.decode)
    scroll_to(panel, panel.decode)
    yield "decoding"
    panel.show_codebook()
    wait_until(lambda: explore.codebook.shapes is not None, "codebook")
    session.set_code(int(session.tokens.tokens[session.selection[0], 120]))
    scroll_to(panel, panel.export)
    yield "codebook"
    panel.pretrain.heading.setChecked(True)
    scroll_to(panel, panel.pretrain)
    yield "pretrain"
    panel.pretrain.heading.setChecked(False)
    panel.forecast.ask.click()
    scroll_to(panel, panel.forecast)
    yield "help"


def render(
    out: Path, theme: str, size: tuple[int, int], model_name: str, tag: str = ""
) -> list[Path]:
    """Open a window and take a picture of each view; `tag` goes into their names."""
    napari.settings.get_settings().appearance.theme = theme
    viewer = napari.Viewer(title="napari-calm")
    viewer.theme = theme
    viewer.window.resize(*size)
    settle(0.5)
    panel = CalmPanel(viewer)
    viewer.window.add_dock_widget(panel, name="CalM", area="right")
    wait_until(lambda: not panel.model.looking, "looking for models")
    pictures = []
    try:
        for name in views(panel, model_name):
            viewer.reset_view()
            settle(0.7)
            path = out / f"{theme}_{size[0]}x{size[1]}{tag}_{len(pictures):02d}_{name}.png"
            viewer.screenshot(str(path), canvas_only=False, flash=False)
            pictures.append(path)
            print(path, flush=True)
    finally:
        panel.release_once()
        viewer.close()
    return pictures


def keep_small(pictures: list[Path], folder: Path, wanted: Callable[[Path], bool]) -> None:
    """Copy the wanted pictures into `folder`, each below 300 kB."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in filter(wanted, pictures):
        theme, size, _, name = path.stem.split("_", 3)
        # Without the number, which changes when a view is added before it.
        small = folder / f"{theme}_{size}_{name}.png"
        Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
            small, optimize=True
        )
        if small.stat().st_size > _MOST_BYTES:
            small.unlink()
            print(f"{path.name}: too large for the docs")


def is_for_docs(path: Path) -> bool:
    """Tell whether the docs show this picture."""
    theme, size, _, name = path.stem.split("_", 3)
    return name in SHOWN_IN_DOCS.get(f"{theme}_{size}", ())


def main() -> None:
    """Render all that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("screenshots"))
    parser.add_argument("--docs", type=Path, help="folder for those that the docs show")
    parser.add_argument("--model", default="calm-mini", help="bundled model or folder")
    parser.add_argument("--theme", choices=THEMES, action="append")
    parser.add_argument("--size", action="append", help="such as 1600x1000")
    parser.add_argument("--scale", type=float, default=1.0, help="pixels a point")
    parser.add_argument("--font-size", type=int, help="napari's font size in points")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    tag = ""
    if args.scale != 1:
        # Read by Qt when its application is made, which the first viewer does.
        os.environ["QT_SCALE_FACTOR"] = f"{args.scale:g}"
        tag += f"@{args.scale:g}"
    appearance = napari.settings.get_settings().appearance
    font_size = appearance.font_size
    if args.font_size is not None:
        appearance.font_size = args.font_size
        tag += f"-{args.font_size}pt"
    sizes = [tuple(map(int, size.split("x"))) for size in args.size or ()] or SIZES
    try:
        for theme in args.theme or THEMES:
            for size in sizes:
                pictures = render(args.out, theme, size, args.model, tag)
                if args.docs:
                    keep_small(pictures, args.docs, is_for_docs)
    finally:
        appearance.font_size = font_size


if __name__ == "__main__":
    main()
