"""Decode a behaviour or trial variable from one recording, with everything to doubt it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from ..core.errors import CalmError
from ..core.progress import Steps, retold, run
from ..core.recording import Recording
from ..model.calm import CalmModel
from ..model.fingerprint import fingerprint
from .decoder import Decoder
from .decoding import Decoding
from .fold import Fold, fit_fold_steps, neuron_frames, null_scores_steps, part_of
from .linear import LinearDecoder
from .network_fit import sample_frames
from .prepare import prepare
from .problem import Problem
from .settings import ANY_NEURONS, Blocks, Head, Settings
from .states import FrameStates, represent_frames_steps
from .target import AngleUnit, Kind, read_target


def decode_steps(
    model: CalmModel,
    recording: Recording,
    target: str | Sequence[Any] | np.ndarray,
    *,
    kind: Kind | Literal["auto"] = "auto",
    unit: AngleUnit = "auto",
    name: str = "target",
    settings: Settings | None = None,
    states: FrameStates | None = None,
    neurons: Sequence[int] | np.ndarray | None = None,
    **choices: Any,
) -> Steps[Decoding]:
    """`decode` as a generator of progress."""
    if neurons is not None:
        rows = np.asarray(neurons)
        part = yield from decode_steps(
            model,
            recording.select(rows),
            target,
            kind=kind,
            unit=unit,
            name=name,
            settings=settings,
            states=states,
            **choices,
        )
        return part.among(recording, np.flatnonzero(rows) if rows.dtype == bool else rows)
    settings = replace(settings or Settings(), **choices)
    wanted = read_target(recording, target, kind=kind, unit=unit, name=name)
    # What cannot be decoded is said before the model has worked for minutes.
    prepare(recording, wanted, settings, None)
    if states is None:
        states = yield from represent_frames_steps(model, recording)
    _check_states(states, model, recording)
    yield from states.coordinates_steps()
    problem, left_out = prepare(recording, wanted, settings, states)
    samples = problem.samples
    splits = samples.deal(problem.target, problem.everything, settings.folds)
    n_fits = len(splits) + 1
    folds: list[Fold] = []
    for number, (train, _) in enumerate(splits):
        fit = fit_fold_steps(problem, train, settings)
        folds.append((yield from retold(fit, part_of(number, n_fits))))
    null = yield from null_scores_steps(problem, folds, splits, settings)
    whole = yield from retold(
        fit_fold_steps(problem, problem.everything, settings), part_of(len(splits), n_fits)
    )
    held_out = [np.zeros_like(whole.outputs) for _ in range(3)]
    fold_of = np.zeros(len(samples), np.int64)
    for number, (fold, (_, test)) in enumerate(zip(folds, splits, strict=True)):
        fold_of[test] = number
        parts = (fold.outputs, fold.reference, fold.without_model)
        for kept, found in zip(held_out, parts, strict=True):
            if found is not None:
                kept[test] = found[test]
    decoder, weights = _decoder_of(whole, problem, settings, model, recording)
    decoding = Decoding(
        target=problem.target,
        head=settings.head,
        model_name=model.title,
        recording_name=recording.name,
        number=samples.number,
        start_frame=samples.start_frame,
        stop_frame=samples.stop_frame,
        fold=fold_of,
        outputs=held_out[0],
        reference_outputs=held_out[1],
        without_model_outputs=None if whole.without_model is None else held_out[2],
        null=null,
        test_share=float(np.mean([test.size / train.size for train, test in splits])),
        neuron_weights=weights,
        roi_labels=recording.roi_labels,
        shares=dict(whole.blend.shares) if settings.head == "blend" else {},
        looks_at=_looks_at(whole, problem, settings, states),
        left_out=tuple(left_out),
        frame_rate_hz=recording.frame_rate_hz,
        n_frames=recording.n_frames,
        decoder=decoder,
    )
    return replace(decoding, decoder=replace(decoder, score=decoding.score))


def decode(
    model: CalmModel,
    recording: Recording,
    target: str | Sequence[Any] | np.ndarray,
    *,
    head: Head = "blend",
    kind: Kind | Literal["auto"] = "auto",
    unit: AngleUnit = "auto",
    name: str = "target",
    look_ahead_s: float = 0.0,
    smooth_s: float = 0.0,
    trial_window_s: tuple[float, float | None] = (0.0, None),
    blocks: Blocks = "auto",
    folds: int = 5,
    gap_s: float = 5.0,
    shifts: int = 20,
    states: FrameStates | None = None,
    neurons: Sequence[int] | np.ndarray | None = None,
    seed: int = 0,
) -> Decoding:
    """Read behaviour, stimulus or state from the population, and say how well that works.

    1. The model's hidden states of every neuron at every frame; no state knows a later frame.
    2. Whole trials, or stretches with a gap, are held out in turn (scikit-learn's group
       splitters). Lags, penalties, scales and weights are chosen inside the training folds.
    3. Beside it, ridge or logistic regression on lagged traces, tuned in the same way, and
       the same decoder on behaviour that is shifted in a circle, or shuffled among trials.
    4. A decoder fitted to the whole recording, which can be saved and applied to others.

    Parameters
    ----------
    target : str or array
        A column of the recording's behaviour or trials ("trials/cue" where both have one), or
        values, one a frame or one a trial (NaN or an empty text where unknown).
    head : {"blend", "linear", "bilinear", "attention", "pooled"}
        See `Settings`. Only "attention" and "pooled" can be applied to other animals.
    kind : {"auto", "continuous", "circular", "classes"}
        Text, truth values and few whole numbers are classes unless this says otherwise;
        headings and the like within one turn are angles.
    unit : {"auto", "rad", "deg"}
        Of angles.
    look_ahead_s, smooth_s, trial_window_s, blocks, folds, gap_s, shifts, seed
        See `Settings`.
    states : FrameStates, optional
        From `represent_frames`, to decode several variables without running the model again;
        of the same `neurons`.
    neurons : sequence of int or of bool, optional
        Look at these alone, as if nothing else had been recorded; the others get no weight.

    Returns
    -------
    Decoding
        With `score`, `reference`, `null`, `verdict()`, `confusion()`, `table()`,
        `neuron_weights` and `decoder`.

    Raises
    ------
    CalmError
        If the variable is missing, constant, of one class, misaligned, or known too rarely,
        or the recording is too short.

    Examples
    --------
    >>> import napari_calm
    >>> model = napari_calm.CalmModel.random(context_frames=16, max_frames=64)
    >>> recording = napari_calm.simulate_session(n_neurons=12, n_trials=10).recording
    >>> found = napari_calm.decode(model, recording, "cue", shifts=3)
    >>> found.measure, found.confusion().shape
    ('balanced accuracy', (2, 2))
    """
    settings = Settings(
        head, look_ahead_s, smooth_s, trial_window_s, blocks, folds, gap_s, shifts, seed
    )
    return run(
        decode_steps(
            model,
            recording,
            target,
            kind=kind,
            unit=unit,
            name=name,
            settings=settings,
            states=states,
            neurons=neurons,
        )
    )


def _check_states(states: FrameStates, model: CalmModel, recording: Recording) -> None:
    expected = (recording.n_frames, recording.n_neurons)
    if states.hidden.shape[:2] != expected or states.model_name != model.title:
        raise CalmError(
            f"decode: the states given are {states.hidden.shape[:2]} (frames, neurons) of "
            f"{states.model_name}; the recording has {expected} and the model is "
            f"{model.title}. Make them again from these."
        )


def _decoder_of(
    whole: Fold, problem: Problem, settings: Settings, model: CalmModel, recording: Recording
) -> tuple[Decoder, np.ndarray]:
    """The decoder, and the share of each neuron in it."""
    coordinates = problem.inputs.coordinates
    assert coordinates is not None
    traces, states, samples = problem.inputs.traces, coordinates.states, problem.samples
    if whole.networks is None:
        linear = LinearDecoder.of(whole.blend, coordinates)
        weights = linear.neuron_weights(traces, states, samples)
    else:
        neurons = neuron_frames(problem, problem.everything)
        frames = sample_frames(samples, problem.everything)
        weights = whole.networks.neuron_weights(neurons, frames)
    target = problem.target
    decoder = Decoder(
        name=target.name,
        kind=target.kind,
        per=target.per,
        classes=target.classes,
        unit=target.unit,
        settings=settings,
        frame_rate_hz=recording.frame_rate_hz,
        model_name=model.title,
        recording_names=(recording.name,),
        roi_labels=(
            np.empty(0, np.int64) if settings.head in ANY_NEURONS else recording.roi_labels
        ),
        fitted=linear if whole.networks is None else whole.networks,
        model_fingerprint=fingerprint(model),
    )
    return decoder, weights


def _looks_at(whole: Fold, problem: Problem, settings: Settings, states: FrameStates) -> str:
    samples, target, rate_hz = problem.samples, problem.target, states.frame_rate_hz
    said = []
    if target.per == "trial":
        first, last = settings.trial_window_s
        end = "its end" if last is None else f"{last:g} s"
        said.append(f"each trial from {first:g} s to {end}")
    else:
        lags = [
            readout.window[-1]
            for part, readout in whole.blend.readouts.items()
            if whole.blend.shares.get(part, 0) > 0
        ]
        if whole.networks is None and lags:
            said.append(f"up to {max(lags) / rate_hz:.2g} s back")
        ahead = settings.look_ahead_s
        said.append(f"{ahead:g} s ahead" if ahead else "no frame ahead (causal)")
        if states.renewed_every > 1:
            said.append(f"hidden states renewed every {states.renewed_every} frames")
        if settings.smooth_s and target.kind != "classes":
            said.append(f"the mean of the last {settings.smooth_s:g} s is decoded")
    n_blocks = np.unique(samples.block).size
    if samples.whole_trials:
        said.append(f"{n_blocks} whole trials held out in {settings.folds} folds")
    else:
        said.append(
            f"{n_blocks} stretches held out in {settings.folds} folds, "
            f"{samples.gap_frames / rate_hz:.2g} s from what was fitted"
        )
    return "; ".join(said)
