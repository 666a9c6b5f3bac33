"""Adapting in a process of its own.

    python -m napari_calm.train.adapt_apart FOLDER

is what the other process runs. FOLDER holds ``recording.npz``, ``model/`` and ``request.json``;
it gets ``adaptation.safetensors``.
"""

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from ..core.progress import Progress, Steps, Stop, never, run
from ..core.recording import Recording
from ..io.traces import read_traces_npz, write_recording
from ..model.adaptation import Adaptation, load_adaptation
from ..model.calm import CalmModel
from ..model.checkpoint import load_model, save_model
from ..model.stepping_down import Tell, warn
from .adapt import adapt_steps
from .apart import Caller, Sign, answer, apart_steps
from .config import AdaptConfig, OptimiserConfig
from .optimise import Curve

_RECORDING, _MODEL, _REQUEST = "recording.npz", "model", "request.json"
_RESULT = "adaptation.safetensors"


def adapt_apart_steps(
    model: CalmModel,
    recording: Recording,
    *,
    until_frame: int | None = None,
    config: AdaptConfig | None = None,
    seed: int = 0,
    curve: Curve | None = None,
    stop: Stop = never,
    tell: Tell = warn,
) -> Steps[Adaptation]:
    """Adapt like `adapt_steps`, in another process; closing the generator ends it.

    Raises
    ------
    StoppedEarly
        If it was stopped before the first validation.
    CalmError
        What adapting raised there, or that the process died.
    """
    curve = [] if curve is None else curve

    def on_sign(sign: Sign) -> None:
        del curve[sign["known"] :]
        curve.extend(sign["curve"])

    with tempfile.TemporaryDirectory(prefix="napari-calm-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        yield Progress(0, 1, "starting a process for the fit")
        write_recording(recording, folder / _RECORDING)
        save_model(model, folder / _MODEL)
        request = {
            "device": str(model.device),
            "until_frame": until_frame,
            "seed": seed,
            "config": asdict(config or AdaptConfig()),
        }
        (folder / _REQUEST).write_text(json.dumps(request))
        yield from apart_steps(
            __name__,
            folder,
            what="adapts the model",
            remedy="Nothing was changed; adapt again.",
            on_sign=on_sign,
            stop=stop,
            tell=tell,
        )
        return replace(
            load_adaptation(folder / _RESULT),
            model_name=model.name,
            recording_name=recording.name,
            roi_labels=recording.roi_labels,
        )


def main(folder: Path, caller: Caller) -> None:
    """Adapt what is in `folder`, telling every step on the standard output."""
    request = json.loads((folder / _REQUEST).read_text())
    recording = read_traces_npz(folder / _RECORDING)
    model = load_model(folder / _MODEL, request.pop("device"))
    settings = request.pop("config")
    optimiser = OptimiserConfig(**settings.pop("optimiser"))
    config = AdaptConfig(optimiser=optimiser, **settings)
    curve: Curve = []
    told = 0

    def on_progress(progress: Progress) -> None:
        nonlocal told
        # A fit that begins again, on the CPU, begins its curve again.
        known = told if told <= len(curve) else 0
        caller.tell(progress, known=known, curve=curve[known:])
        told = len(curve)

    steps = adapt_steps(
        model,
        recording,
        config=config,
        curve=curve,
        stop=caller.wants_end,
        tell=caller.tell_shortage,
        **request,
    )
    adaptation = run(steps, on_progress)
    on_progress(Progress(1, 1, "the fit is made"))
    adaptation.save(folder / _RESULT)


if __name__ == "__main__":
    answer(main)
