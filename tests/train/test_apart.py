import errno
import json
import signal
import sys

import pytest

from napari_calm.core.errors import CalmError, StoppedEarly
from napari_calm.train.apart import answer


@pytest.fixture
def told(monkeypatch, capsys, tmp_path):
    """Return a function that gives what the process tells of an error."""
    monkeypatch.setattr(sys, "argv", ["module", str(tmp_path)])
    before = signal.getsignal(signal.SIGTERM)

    def told(error):
        def main(folder):
            assert folder == tmp_path
            raise error

        answer(main)
        return json.loads(capsys.readouterr().out)

    yield told
    signal.signal(signal.SIGTERM, before)


def test_errors_that_a_user_can_act_on_are_told_in_words(told):
    assert told(CalmError("wrong folder")) == {"error": "wrong folder", "stopped": False}
    assert told(StoppedEarly("too early")) == {"error": "too early", "stopped": True}
    full = told(OSError(errno.ENOSPC, "No space left on device", "model.safetensors"))
    assert "model.safetensors could not be read or written (No space left" in full["error"]
    assert "Choose cpu" in told(RuntimeError("CUDA out of memory. Tried ..."))["error"]


def test_errors_of_our_own_keep_their_traceback(told):
    with pytest.raises(RuntimeError, match="shapes"):
        told(RuntimeError("shapes do not fit"))
    with pytest.raises(BrokenPipeError):
        told(BrokenPipeError())
