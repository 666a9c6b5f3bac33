"""From a configuration to a checkpoint folder."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from ..core.atomic import PARTIAL, replacing
from ..core.errors import ConfigError, StoppedEarly
from ..core.progress import Steps, Stop, never, run
from ..core.recording import Recording
from ..model.calm import CalmModel
from ..model.checkpoint import load_model, save_model
from ..model.config import CalmConfig
from ..model.device import choose_device
from ..model.stepping_down import Tell, less_at_once_steps, stepping_down_steps, warn
from .alone import LOCK_FILE, alone_steps
from .calibrate import calibrate
from .config import PretrainConfig
from .data import WindowSampler, folder_recordings_steps, simulated_recordings_steps
from .dynamics_training import VALIDATION_WINDOWS, train_dynamics_steps
from .in_parts import InParts
from .model_card import held_back_skills_steps, model_card
from .optimise import Curve
from .tokenizer_training import train_tokenizer_steps

STATE_FOLDER = "training"


def pretrain_steps(
    config: PretrainConfig,
    out: str | Path,
    *,
    recordings: Sequence[Recording] | None = None,
    device: str = "auto",
    restart: bool = False,
    curves: dict[str, Curve] | None = None,
    stop: Stop = never,
    tell: Tell = warn,
) -> Steps[CalmModel]:
    """Train tokenizer, then dynamics, and write the checkpoint folder `out`.

    The state of a running training is kept in ``out/training``; the same call continues
    from there after a kill and gives the same result as an uninterrupted one. Closing the
    generator saves it at the step that was reached. What remains at the end are the learning
    curves (``tokenizer.csv``, ``dynamics.csv``) and the configuration. Two trainings do not
    write into one folder: the second waits a while for the first to end.

    Where a GPU's memory does not suffice for a step of the dynamics, its gradient is taken in
    parts, which is the same training up to rounding and the draws of dropout. Where even one
    window is too much, or a batch of the tokenizer, whose codebook follows whole batches, the
    training goes on on the CPU from the step it had reached.

    Parameters
    ----------
    config : PretrainConfig
        Data, networks, steps and seed.
    out : path
        The checkpoint folder.
    recordings : sequence of Recording, optional
        Real recordings to train on, instead of those in the configuration's folder.
    restart : bool
        Forget the state of an earlier run instead of continuing it.
    curves : dict of list, optional
        Gets the learning curves "tokenizer" and "dynamics", which grow with the training.
    stop : callable
        Asked between steps. Once it says so, the weights of the best validation so far become
        the checkpoint, and the state stays, so that the same call goes on.
    tell : callable
        Gets a sentence on what was done where an accelerator's memory did not suffice, and
        whether the CPU took over; a warning if not given.

    Raises
    ------
    StoppedEarly
        If it was stopped before the dynamics were validated for the first time: there is no
        model yet, but the state to go on from.
    ConfigError
        If the folder holds the state of a training with another configuration, another
        process trains into it, or the model to start from has other networks.
    CheckpointError
        If the model to start from cannot be read.
    """
    out = Path(out)
    state = out / STATE_FOLDER
    lock = yield from alone_steps(state)
    try:
        if restart:
            _forget(state)
        _claim(state, config)
        return (yield from _pretrain_steps(config, out, recordings, device, curves, stop, tell))
    finally:
        if any(state.glob("*.pt")):
            # Whoever has deleted the folder meanwhile can still go on.
            _claim(state, config)
        lock.release()


def _pretrain_steps(
    config: PretrainConfig,
    out: Path,
    recordings: Sequence[Recording] | None,
    device: str,
    curves: dict[str, Curve] | None,
    stop: Stop,
    tell: Tell,
) -> Steps[CalmModel]:
    """Make what is trained on, and train on the first device that has the memory for it."""
    if recordings is None:
        recordings = yield from folder_recordings_steps(config.data)
    real = {recording.name: None for recording in recordings}
    simulated = yield from simulated_recordings_steps(config.data)
    shown = [*recordings, *simulated]
    sampler = WindowSampler(shown, config.preprocessing, config.data.validation_share)
    curves = {} if curves is None else curves

    def train_on(place: str) -> Steps[CalmModel]:
        return _train_steps(config, out, shown, tuple(real), sampler, place, curves, stop, tell)

    return (yield from stepping_down_steps(train_on, device, tell, tries=1))


def _train_steps(
    config: PretrainConfig,
    out: Path,
    recordings: Sequence[Recording],
    real: tuple[str, ...],
    sampler: WindowSampler,
    device: str,
    curves: dict[str, Curve],
    stop: Stop,
    tell: Tell,
) -> Steps[CalmModel]:
    state = out / STATE_FOLDER
    start = load_model(config.start_from, device="cpu") if config.start_from else None
    seen = (*(start.config.trained_on if start else ()), *real)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = CalmModel(_with_training_rows(config, sampler, seen))
    if start is not None:
        start_from(model, start)
    model.to(choose_device(device))
    curves |= {"tokenizer": [], "dynamics": []}
    in_parts = InParts(tell)
    tokenizer_curve = yield from train_tokenizer_steps(
        model.tokenizer,
        sampler,
        config,
        state / "tokenizer.pt",
        start_from_kmeans=start is None,
        curve=curves["tokenizer"],
        stop=stop,
    )
    if stop():
        raise _too_early(out, "the tokenizer was trained")
    dynamics_curve = yield from train_dynamics_steps(
        model,
        sampler,
        config,
        state / "dynamics.pt",
        curve=curves["dynamics"],
        stop=stop,
        in_parts=in_parts,
    )
    n_steps = len(dynamics_curve)
    stopped = stop() and n_steps < config.dynamics_training.optimiser.steps
    if stopped and not any("validation_loss" in row for row in dynamics_curve):
        raise _too_early(out, f"the first validation (after {config.validate_every} steps)")
    calibrate(
        model,
        sampler.validation_windows(
            VALIDATION_WINDOWS, config.dynamics_training.population, seed=config.seed + 2
        ),
        in_parts=in_parts,
    )
    model.requires_grad_(True).eval()
    for name, curve in (("tokenizer", tokenizer_curve), ("dynamics", dynamics_curve)):
        with replacing(state / f"{name}.csv") as partial:
            pd.DataFrame(curve).to_csv(partial, index=False)
    skills = []
    if not stopped:
        share = config.data.validation_share
        skills = yield from less_at_once_steps(
            lambda: held_back_skills_steps(model, recordings, share), tell
        )
    card = model_card(
        config,
        len(sampler.traces),
        len(real),
        tokenizer_curve,
        dynamics_curve,
        skills,
        stopped=stopped,
    )
    save_model(model, out, card=card)
    if stopped:
        return model
    for name in ("tokenizer", "dynamics"):
        (state / f"{name}.pt").unlink(missing_ok=True)
    return model


def pretrain(
    config: PretrainConfig,
    out: str | Path,
    *,
    recordings: Sequence[Recording] | None = None,
    device: str = "auto",
    restart: bool = False,
) -> CalmModel:
    """Run `pretrain_steps` to its end."""
    return run(
        pretrain_steps(config, out, recordings=recordings, device=device, restart=restart)
    )


def _too_early(out: Path, what: str) -> StoppedEarly:
    return StoppedEarly(
        f"Stopped before {what}: there is no model to keep yet. Its state is in "
        f"{out / STATE_FOLDER}; pretraining into {out} again goes on from there."
    )


def start_from(model: CalmModel, start: CalmModel) -> None:
    """Give `model` the weights of `start`, but for the rows of its recordings.

    Raises
    ------
    ConfigError
        If the two have different networks or see recordings differently.
    """
    ours, theirs = _networks(model), _networks(start)
    for name in ours:
        if ours[name] != theirs[name]:
            raise ConfigError(
                f"start_from: {name} is {theirs[name]} in {start.name}, but {ours[name]} in "
                f"this configuration ({model.name}); they must be equal."
            )
    rows = ("dynamics.neuron_embed.", "dynamics.session_embed.", "behaviour.")
    weights = {
        name: value for name, value in start.state_dict().items() if not name.startswith(rows)
    }
    model.load_state_dict(weights, strict=False)


def _networks(model: CalmModel) -> dict[str, object]:
    """All settings that weights depend on."""
    free = ("dropout", "max_neurons", "n_neurons", "n_sessions")
    return {
        f"{section}.{name}": value
        for section, settings in model.config.to_dict().items()
        if section in ("tokenizer", "dynamics", "preprocessing", "forecast_head") and settings
        for name, value in settings.items()
        if not name.endswith(free)
    }


def _with_training_rows(
    config: PretrainConfig, sampler: WindowSampler, trained_on: tuple[str, ...]
) -> CalmConfig:
    """Add what only the data tell to the model's configuration."""
    dynamics = config.dynamics
    if config.dynamics_training.row_dropout < 1:
        dynamics = replace(
            dynamics,
            n_neurons=sum(map(len, sampler.traces)),
            n_sessions=len(sampler.traces),
        )
    return replace(config.model, dynamics=dynamics, trained_on=trained_on)


def _forget(state: Path) -> None:
    """Delete what an earlier training has left, but for the lock that is held."""
    for entry in state.iterdir():
        if entry.name != LOCK_FILE:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _claim(state: Path, config: PretrainConfig) -> None:
    """Write the configuration beside the state, or check that it is the same."""
    for left in state.glob(f"{PARTIAL}*"):
        # Of a process that was killed while it wrote.
        left.unlink(missing_ok=True)
    file = state / "config.json"
    text = json.dumps(config.to_dict(), indent=2) + "\n"
    if file.exists() and file.read_text(encoding="utf-8") != text:
        raise ConfigError(
            f"{state}: holds a training with another configuration. Choose another output "
            "folder, or forget that one with --restart (restart=True)."
        )
    with replacing(file) as partial:
        partial.write_text(text, encoding="utf-8")
