"""Pretraining in a process of its own.

    python -m napari_calm.train.pretrain_apart FOLDER

is what the other process runs. FOLDER holds ``request.json``; the checkpoint goes where that
says.
"""

import json
import tempfile
from pathlib import Path

from ..core.progress import Progress, Steps, Stop, never, run
from ..model.stepping_down import Tell, warn
from .apart import Caller, Sign, answer, apart_steps
from .config import PretrainConfig, pretrain_config
from .optimise import Curve
from .pretrain import pretrain_steps

_REQUEST = "request.json"
# A last step, and writing the state of a large model.
_SAVES_WITHIN_S = 60.0


def pretrain_apart_steps(
    config: PretrainConfig,
    out: str | Path,
    *,
    device: str = "auto",
    restart: bool = False,
    curves: dict[str, Curve] | None = None,
    stop: Stop = never,
    tell: Tell = warn,
) -> Steps[Path]:
    """Pretrain like `pretrain_steps`, in another process.

    Closing the generator ends that process as soon as it has saved its state.

    Returns
    -------
    pathlib.Path
        The checkpoint folder.

    Raises
    ------
    StoppedEarly
        If it was stopped before there was a model to keep.
    CalmError
        What pretraining raised there, or that the process died.
    """
    curves = {} if curves is None else curves
    out = Path(out).absolute()

    def on_sign(sign: Sign) -> None:
        for name, rows in sign["curves"].items():
            curves.setdefault(name, []).extend(rows)

    with tempfile.TemporaryDirectory(prefix="napari-calm-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        request = {
            "config": config.to_dict(),
            "out": str(out),
            "device": device,
            "restart": restart,
        }
        (folder / _REQUEST).write_text(json.dumps(request))
        yield from apart_steps(
            __name__,
            folder,
            what="pretrains the model",
            remedy="Pretrain into the same folder again: it goes on from where it was saved.",
            on_sign=on_sign,
            stop=stop,
            tell=tell,
            leaves_within_s=_SAVES_WITHIN_S,
        )
    return out


def main(folder: Path, caller: Caller) -> None:
    """Pretrain what `folder` asks for, telling every step on the standard output."""
    request = json.loads((folder / _REQUEST).read_text())
    config = pretrain_config(request.pop("config"))
    curves: dict[str, Curve] = {}
    told: dict[str, int] = {}

    # A training that goes on on the CPU tells no row twice.
    def on_progress(progress: Progress) -> None:
        new = {name: curve[told.get(name, 0) :] for name, curve in curves.items()}
        told.update(
            {name: max(told.get(name, 0), len(curve)) for name, curve in curves.items()}
        )
        caller.tell(progress, curves={name: rows for name, rows in new.items() if rows})

    steps = pretrain_steps(
        config,
        request.pop("out"),
        curves=curves,
        stop=caller.wants_end,
        tell=caller.tell_shortage,
        **request,
    )
    run(steps, on_progress)
    on_progress(Progress(1, 1, "the model is made"))


if __name__ == "__main__":
    answer(main)
