"""The whole job in one window: the buttons a user would press, pressed in order."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from qtpy.QtWidgets import QAbstractButton, QApplication

from ..core.atomic import replacing
from ..core.errors import CalmError
from .job import Ending, JobReport
from .panel import CalmPanel

if TYPE_CHECKING:
    from ..analysis.skill import ForecastSkill

WINDOW_SIZE = (1600, 1000)
START_SHARE = 0.6
HORIZON_S = 5.0
_LOOK_AHEAD_S = 1.0
_JOB_LIMIT_S = 600.0


def run_demo(out_folder: str | Path, *, model_name: str, keep_open: bool) -> None:
    """Open the sample, extract, tokenise and forecast; keep pictures and numbers.

    Parameters
    ----------
    out_folder : path
        Gets ``window.png``, ``forecast.npz``, ``forecast.csv``, the error of that forecast
        (``skill.csv``) and the mean error over many starts (``skill_over_starts.csv``).
    model_name : str
        A bundled model or a checkpoint folder.
    keep_open : bool
        Leave the window open and return when it is closed.

    Raises
    ------
    CalmError
        If one of the jobs fails; the message is the job's.
    """
    out_folder = Path(out_folder)
    out_folder.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(title="napari-calm demo")
    try:
        viewer.window.resize(*WINDOW_SIZE)
        panel = CalmPanel(viewer)
        viewer.window.add_dock_widget(panel, name="CalM", area="right")
        wait_until(lambda: not panel.model.looking, "looking for models")
        _run_all(viewer, panel, model_name)
        _write(viewer, panel, out_folder)
        if keep_open:
            napari.run()
    finally:
        if not keep_open:
            panel.release_once()
            viewer.close()


def _run_all(viewer: napari.Viewer, panel: CalmPanel, model_name: str) -> None:
    panel.model.choose(model_name)
    panel.recording.opener.open_sample.click()
    press(panel, panel.recording.extract)
    press(panel, panel.tokens.tokenise)
    recording = panel.session.recording
    start_s = round(START_SHARE * recording.n_frames) / recording.frame_rate_hz
    panel.session.seek(start_s)
    panel.forecast.horizon.setValue(HORIZON_S)
    press(panel, panel.forecast.forecast)
    # Where the forecast has something to show, not at its very first frame.
    panel.session.seek(start_s + _LOOK_AHEAD_S)
    viewer.scale_bar.visible = True


def press(panel: CalmPanel, button: QAbstractButton) -> None:
    """Press a button of the panel and wait, with the window alive, for its job to end.

    Raises
    ------
    CalmError
        If the button is disabled, or its job ends in anything but success.
    """
    if not button.isEnabled():
        raise CalmError(f"{button.text()}: {button.toolTip()}")
    _await_job(panel, button.click, button.text())


def _await_job(panel: CalmPanel, start: Callable[[], object], name: str) -> None:
    reports: list[JobReport] = []
    panel.job.ended.connect(reports.append)
    try:
        start()
        wait_until(lambda: bool(reports), name)
    finally:
        panel.job.ended.disconnect(reports.append)
    report = reports[0]
    if report.ending is not Ending.DONE:
        raise CalmError(f"{report.title}: {report.message or report.ending.value}")


def wait_until(is_done, what: str) -> None:
    """Keep the window alive until `is_done()`.

    Raises
    ------
    CalmError
        If that takes longer than ten minutes.
    """
    deadline = time.monotonic() + _JOB_LIMIT_S
    while not is_done():
        if time.monotonic() > deadline:
            raise CalmError(f"{what}: not done after {_JOB_LIMIT_S:.0f} s.")
        QApplication.processEvents()
        time.sleep(0.005)


def settle(seconds: float) -> None:
    """Let the window draw what has changed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        QApplication.processEvents()
        time.sleep(0.005)


def _write(viewer: napari.Viewer, panel: CalmPanel, out_folder: Path) -> None:
    from ..analysis.skill import skill_over_starts_steps
    from ..io.results import write_forecast

    settle(1.0)
    viewer.screenshot(str(out_folder / "window.png"), canvas_only=False, flash=False)
    for suffix in ("npz", "csv"):
        write_forecast(panel.session.forecast, out_folder / f"forecast.{suffix}")
    session = panel.session
    _write_skill(session.skill, out_folder / "skill.csv")
    # One start says little; the mean over many shows what to expect.
    steps = skill_over_starts_steps(
        session.model,
        session.recording,
        horizon_frames=session.forecast.horizon_frames,
    )
    averaged: list[ForecastSkill] = []
    title = "Score forecasts from many starts"
    _await_job(
        panel, lambda: panel.job.start(steps, title=title, on_done=averaged.append), title
    )
    _write_skill(averaged[0], out_folder / "skill_over_starts.csv")


def _write_skill(skill: "ForecastSkill", path: Path) -> None:
    with replacing(path) as partial:
        skill.table().to_csv(partial, index=False)
