import errno
import json
import os
import shutil
import signal
import sys

import pytest

from napari_calm.core.errors import CalmError, StoppedEarly
from napari_calm.core.progress import run
from napari_calm.train.apart import answer, apart_steps


@pytest.fixture
def told(monkeypatch, capsys, tmp_path):
    """Return a function that gives what the process tells of an error."""
    monkeypatch.setattr(sys, "argv", ["module", str(tmp_path)])
    monkeypatch.setattr(sys, "__stdin__", None)
    before = signal.getsignal(signal.SIGTERM)

    def told(error):
        def main(folder, _caller):
            assert folder == tmp_path
            raise error

        answer(main)
        return json.loads(capsys.readouterr().out)

    yield told
    signal.signal(signal.SIGTERM, before)


def test_errors_that_a_user_can_act_on_are_told_in_words(told):
    assert told(CalmError("wrong folder")) == {"error": "wrong folder", "kind": "CalmError"}
    assert told(StoppedEarly("too early")) == {"error": "too early", "kind": "StoppedEarly"}
    full = told(OSError(errno.ENOSPC, "No space left on device", "model.safetensors"))
    assert "model.safetensors: not read or written: the disk is full" in full["error"]
    assert "Make room" in full["error"]
    lost = told(RuntimeError("CUDA error: device lost\nmore"))["error"]
    assert "does not answer any more (CUDA error: device lost)" in lost
    short = told(RuntimeError("CUDA out of memory. Tried ..."))
    assert "Choose cpu" in short["error"]
    assert short["kind"] == "OutOfMemory"
    full = told(MemoryError("Unable to allocate 64 GiB"))
    assert "memory of this machine is full" in full["error"]
    # The CPU has no more of it.
    assert full["kind"] == "MemoryError"


def test_errors_of_our_own_keep_their_traceback(told):
    with pytest.raises(RuntimeError, match="shapes"):
        told(RuntimeError("shapes do not fit"))
    with pytest.raises(BrokenPipeError):
        told(BrokenPipeError())


# Another process without torch: what it is sent and what becomes of it cost no time.
OTHER = """
import sys, time
from napari_calm.core.errors import CalmError, StoppedEarly
from napari_calm.core.progress import Progress, run
from napari_calm.train.apart import answer

def steps(folder, caller):
    try:
        for number in range(10_000):
            print("a library's own words")
            if number == 3:
                caller.tell_shortage("less memory", True)
            yield Progress(number, 10_000, "working")
            time.sleep(0.01)
            if caller.wants_end():
                raise StoppedEarly(f"stopped at {number}")
    finally:
        time.sleep(0.3)
        folder.with_name("left").write_text("in order")
        if folder.with_name("full").exists():
            raise CalmError("the disk is full")

def main(folder, caller):
    run(steps(folder, caller), caller.tell)

answer(main)
"""


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """Return a function that starts the other process and gives its steps once it works."""
    (tmp_path / "other_process.py").write_text(OTHER)
    folder = tmp_path / "folder"
    folder.mkdir()
    paths = [str(tmp_path), *sys.path]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))

    def begun(stop=lambda: False, tell=lambda *_: None):
        steps = apart_steps(
            "other_process",
            folder,
            what="works",
            remedy="Do it again.",
            on_sign=lambda _sign: None,
            stop=stop,
            tell=tell,
        )
        while next(steps).stage != "working":
            pass
        return steps

    return begun


def process_of(steps):
    return steps.gi_frame.f_locals["process"]


def test_a_closed_process_leaves_in_order(begun, tmp_path):
    steps = begun()
    process = process_of(steps)
    steps.close()
    assert (tmp_path / "left").read_text() == "in order"
    assert process.returncode is not None


def test_what_a_process_does_about_little_memory_is_told_here(begun):
    told = []
    steps = begun(tell=lambda *said: told.append(said))
    while next(steps).done < 5:
        pass
    steps.close()
    assert told == [("less memory", True)]


def test_what_a_process_could_not_save_on_leaving_is_told(begun, tmp_path):
    steps = begun()
    (tmp_path / "full").touch()
    with pytest.raises(CalmError, match="disk is full"):
        steps.close()


def test_a_process_leaves_in_order_where_its_caller_is_gone(begun, tmp_path):
    steps = begun()
    process = process_of(steps)
    # What the system does with the pipe of a caller that is killed.
    process.stdin.close()
    assert process.wait(20) == 1
    assert (tmp_path / "left").read_text() == "in order"
    steps.close()


def test_a_process_stops_when_asked_although_its_folder_is_gone(begun, tmp_path):
    wishes = []
    steps = begun(lambda: bool(wishes))
    shutil.rmtree(tmp_path / "folder")
    wishes.append(True)
    with pytest.raises(StoppedEarly, match="stopped at"):
        run(steps)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
@pytest.mark.parametrize("folder_too", [False, True])
def test_a_killed_process_is_told_with_a_remedy(begun, tmp_path, folder_too):
    steps = begun()
    if folder_too:
        shutil.rmtree(tmp_path / "folder")
    process_of(steps).kill()
    with pytest.raises(CalmError, match=r"works ended too early.*signal 9.* Do it again\."):
        run(steps)
