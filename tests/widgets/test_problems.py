"""What goes wrong is told with a remedy, kept in a log, and little memory is no end."""

import errno

import pytest
import torch
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_calm.core.progress import Progress
from napari_calm.model.budget import MULTIPLY_ADDS_ON_ACCELERATOR, Share, _positions
from napari_calm.model.calm import CalmModel
from napari_calm.widgets.job import Ending
from napari_calm.widgets.problem_log import log_path


@pytest.fixture
def short_of_memory(monkeypatch):
    """Return a function that lets tokenising run out of memory so many times."""
    shares, real = [], CalmModel.tokenize_steps

    def fails(times):
        def tokenize_steps(model, recording):
            yield Progress(0, 1, "tokenising")
            shares.append(Share.of_accelerator)
            if len(shares) <= times:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            return (yield from real(model, recording))

        monkeypatch.setattr(CalmModel, "tokenize_steps", tokenize_steps)
        return shares

    return fails


def test_out_of_memory_takes_less_at_once_and_says_so(from_folder, press, short_of_memory):
    shares = short_of_memory(2)
    assert press(from_folder, from_folder.tokens.tokenise).ending is Ending.DONE
    assert shares == [1.0, 0.5, 0.25]
    assert Share.of_accelerator == 1.0
    assert "1/4 as much at once" in from_folder.model.result.text()
    assert from_folder.session.tokens is not None
    assert from_folder.model.device.currentText() == "auto"


def test_at_last_the_cpu_does_it_and_is_chosen(from_folder, press, short_of_memory):
    shares = short_of_memory(4)
    assert press(from_folder, from_folder.tokens.tokenise).ending is Ending.DONE
    assert shares == [1.0, 0.5, 0.25, 0.125, 1.0]
    assert from_folder.model.device.currentText() == "cpu"
    assert "ran on the CPU" in from_folder.model.result.text()
    assert str(from_folder.session.model.device) == "cpu"


def test_a_smaller_share_means_smaller_pieces():
    cuda = torch.device("cuda")
    whole = _positions(1e6, cuda)
    assert whole == MULTIPLY_ADDS_ON_ACCELERATOR / 1e6
    Share.of_accelerator = 0.5
    try:
        assert _positions(1e6, cuda) == whole / 2
        assert _positions(1e6, torch.device("cpu")) == 8e9 / 1e6
    finally:
        Share.of_accelerator = 1.0


@pytest.mark.parametrize(
    ("error", "remedy", "is_unforeseen"),
    [
        (RuntimeError("CUDA error: device lost\nmore"), "Choose cpu under Device", True),
        (OSError(errno.ENOSPC, "No space left on device", "a.npz"), "Make room", False),
        (KeyError("surprise"), "Unexpected KeyError", True),
    ],
)
def test_an_error_is_told_with_its_remedy_and_can_be_reported(
    panel, qtbot, error, remedy, is_unforeseen
):
    def steps():
        yield Progress(0, 1, "failing")
        raise error

    with qtbot.waitSignal(panel.job.ended):
        panel.job.start(steps(), title="A job that fails", on_done=print)
    assert remedy in panel.job_bar.message.text()
    assert panel.job_bar.show_details.isVisibleTo(panel.job_bar) is is_unforeseen
    qtbot.mouseClick(panel.job_bar.copy_report, Qt.MouseButton.LeftButton)
    report = QApplication.clipboard().text()
    for part in ("napari-calm 0", "torch", "A job that fails", type(error).__name__):
        assert part in report
    assert "in steps" in report, "the traceback is missing"
    assert "A job that fails" in log_path().read_text()
    with qtbot.waitSignal(panel.job.ended):
        panel.job.start(iter_done(), title="Fine", on_done=lambda _none: None)
    assert not panel.job_bar.copy_report.isVisibleTo(panel.job_bar)


def iter_done():
    yield Progress(1, 1, "done")
