import sys

import pytest


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line in this process; returns exit status, output and errors."""

    def run_command(*arguments):
        # Not every test needs it.
        from napari_calm import cli

        monkeypatch.setattr(sys, "argv", ["napari-calm", *map(str, arguments)])
        try:
            cli.main()
            status = 0
        except SystemExit as stop:
            status = stop.code or 0
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run_command


@pytest.fixture
def memory(monkeypatch):
    """Return a function that lets the dynamics take only so many windows at once.

    It returns the sizes that were asked for; `most` may be a function of the number of calls
    before. In the `backward` pass, only steps fail.
    """
    # Not every test needs them.
    import torch

    from napari_calm.model.dynamics import Dynamics

    real, message = Dynamics.forward, "CUDA out of memory. Tried to allocate 2 GiB"

    def memory(most, *, backward=False):
        asked = []

        def fail(_gradient):
            raise torch.OutOfMemoryError(message)

        def forward(self, tokens, *arguments, **options):
            allowed = most(len(asked)) if callable(most) else most
            asked.append(len(tokens))
            too_many = len(tokens) > allowed
            if too_many and not backward:
                raise torch.OutOfMemoryError(message)
            hidden = real(self, tokens, *arguments, **options)
            if too_many and hidden.requires_grad:
                hidden.register_hook(fail)
            return hidden

        monkeypatch.setattr(Dynamics, "forward", forward)
        return asked

    return memory
