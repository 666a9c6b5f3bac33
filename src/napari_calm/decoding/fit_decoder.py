"""Fit a decoder to several recordings, to be applied to animals that it has not seen."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ..core.errors import CalmError
from ..core.progress import Steps, retold, run
from ..core.recording import Recording
from ..model.calm import CalmModel
from ..model.fingerprint import fingerprint
from .decoder import RATE_RATIO_OF_ANIMALS, Decoder, matched
from .fold import part_of
from .network_fit import Examples, FittedNetworks, averaged, fit_network_steps
from .neuron_frames import NeuronFrames
from .pooled import PooledReadout, Taken, fit_pooled_steps
from .prepare import prepare, smoothed
from .samples import Split
from .settings import ANY_NEURONS, Settings
from .states import FrameStates, represent_frames_steps
from .target import Kind, Target, read_target


def fit_decoder_steps(
    model: CalmModel,
    recordings: Sequence[Recording],
    target: str,
    *,
    kind: Kind | Literal["auto"] = "auto",
    settings: Settings | None = None,
    states: Sequence[FrameStates] | None = None,
) -> Steps[Decoder]:
    """`fit_decoder` as a generator of progress."""
    settings = settings or Settings(head="pooled")
    if settings.head not in ANY_NEURONS:
        raise CalmError(
            f"decode: the head {settings.head!r} has weights for the neurons of one recording; "
            f"several recordings take the head {' or '.join(ANY_NEURONS)}."
        )
    if len(recordings) < 2:
        raise CalmError(
            f"decode: found {len(recordings)} recording; fitting a decoder for other animals "
            "takes at least 2, of which one tells when to stop."
        )
    _check_rates(recordings)
    targets = [
        smoothed(found, settings.smooth_s * each.frame_rate_hz)
        for each, found in zip(
            recordings,
            _alike([read_target(each, target, kind=kind) for each in recordings]),
            strict=True,
        )
    ]
    as_they_are = replace(settings, smooth_s=0.0)
    for recording, each in zip(recordings, targets, strict=True):
        prepare(recording, each, as_they_are, None)
    if states is None:
        states = []
        for number, recording in enumerate(recordings):
            work = represent_frames_steps(model, recording)
            states.append((yield from retold(work, part_of(number, len(recordings)))))
    taken = []
    for recording, each, seen in zip(recordings, targets, states, strict=True):
        problem, _ = prepare(recording, each, as_they_are, seen)
        samples = problem.samples
        neurons = NeuronFrames.of(seen, recording.traces.T, samples.frames(problem.everything))
        # Numbered as in all recordings, even where a class is too rare here.
        chosen = np.flatnonzero(each.known[samples.number])
        taken.append((neurons, samples, each, chosen))
    fitted: FittedNetworks | PooledReadout
    if settings.head == "pooled":
        fitted = yield from fit_pooled_steps(targets[0], taken, _one_out(taken))
    else:
        fitted = yield from _networks_steps(targets[0], taken, settings)
    return Decoder(
        name=targets[0].name,
        kind=targets[0].kind,
        per=targets[0].per,
        classes=targets[0].classes,
        unit=targets[0].unit,
        settings=settings,
        frame_rate_hz=float(np.median([each.frame_rate_hz for each in recordings])),
        model_name=model.title,
        recording_names=tuple(each.name for each in recordings),
        roi_labels=np.empty(0, np.int64),
        fitted=fitted,
        model_fingerprint=fingerprint(model),
    )


def _networks_steps(
    target: Target, taken: Sequence[Taken], settings: Settings
) -> Steps[FittedNetworks]:
    """One network for each recording, fitted to the others, stopped where it reads it best."""
    examples = [Examples.of(*each) for each in taken]
    members = []
    for number, held_out in enumerate(examples):
        training = [each for each in examples if each is not held_out]
        fit = fit_network_steps(
            "attention", target, training, [held_out], seed=settings.seed + number
        )
        members.append((yield from retold(fit, part_of(number, len(examples)))))
    return averaged(members)


def _one_out(taken: Sequence[Taken]) -> list[Split]:
    """Samples of all recordings, one after the other, with one recording held out in turn."""
    recording = np.repeat(np.arange(len(taken)), [chosen.size for *_, chosen in taken])
    return [
        (np.flatnonzero(recording != number), np.flatnonzero(recording == number))
        for number in range(len(taken))
    ]


def fit_decoder(
    model: CalmModel,
    recordings: Sequence[Recording],
    target: str,
    *,
    kind: Kind | Literal["auto"] = "auto",
    settings: Settings | None = None,
    states: Sequence[FrameStates] | None = None,
) -> Decoder:
    """Fit one decoder to recordings of several animals, for use on others.

    Neurons are known to it by what they do (recent activity, how they vary and move with the
    population, hidden state), not by their number. What the head "pooled" averages, and its
    penalty, is chosen by holding one recording out in turn. With the head "attention" one
    network for each recording is fitted to the others and keeps the weights that read it best;
    their outputs are averaged.

    Parameters
    ----------
    recordings : sequence of Recording
        At least 2, all with the column, at about the same frame rate.
    target : str
        A column of behaviour or trials.
    settings : Settings, optional
        With the head "pooled" (the default) or "attention".
    states : sequence of FrameStates, optional
        Of the recordings, where they are known already.

    Raises
    ------
    CalmError
        If columns, kinds or frame rates differ, or there are too few recordings.
    """
    return run(
        fit_decoder_steps(
            model, recordings, target, kind=kind, settings=settings, states=states
        )
    )


def _check_rates(recordings: Sequence[Recording]) -> None:
    rates = [each.frame_rate_hz for each in recordings]
    if max(rates) > RATE_RATIO_OF_ANIMALS * min(rates):
        raise CalmError(
            f"decode: the recordings have {min(rates):g} to {max(rates):g} frames a second; "
            "one decoder takes about equal rates. Resample them."
        )


def _alike(targets: Sequence[Target]) -> list[Target]:
    """The same variable of several recordings, classes numbered alike."""
    first = targets[0]
    names = tuple(dict.fromkeys(name for each in targets for name in each.classes))
    classes = tuple(sorted(names))
    return [matched(each, first.kind, first.per, classes) for each in targets]
