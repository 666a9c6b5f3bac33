import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file

from napari_calm.core.errors import CalmError, CheckpointError, RecordingError
from napari_calm.decoding.applied import Applied
from napari_calm.decoding.decode import decode
from napari_calm.decoding.decoder_file import load_decoder, save_decoder
from napari_calm.decoding.decoding_archive import (
    archive_applied,
    archive_decoding,
    read_applied,
    read_decoding,
)
from napari_calm.decoding.fit_decoder import fit_decoder
from napari_calm.decoding.settings import Settings
from napari_calm.decoding.target import read_target
from napari_calm.model.adaptation import Adaptation, load_adaptation
from napari_calm.model.calm import CalmModel


@pytest.fixture(scope="module")
def decoder(model, recording, states):
    return decode(model, recording, "running", states=states, shifts=0, folds=2).decoder


@pytest.fixture(scope="module")
def of_speed(model, recording, states):
    return decode(model, recording, "speed", states=states, shifts=0, folds=2)


@pytest.fixture(scope="module")
def animals(plant):
    return [plant(seed, n_neurons=10 + seed, name=f"animal {seed}") for seed in range(4)]


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("head", ["blend", "bilinear", "attention", "pooled"])
def test_a_decoder_says_the_same_when_it_comes_back(
    model, recording, states, decoder, tmp_path, head
):
    found = decoder
    if head != "blend":
        found = decode(
            model, recording, "running", states=states, head=head, shifts=0, folds=2
        ).decoder
    path = save_decoder(found, tmp_path / "running.safetensors")
    again = load_decoder(path)
    before = found.apply(model, recording, states=states)
    after = again.apply(model, recording, states=states)
    np.testing.assert_array_equal(before.outputs, after.outputs)
    assert again.settings == found.settings
    assert again.score == found.score
    assert after.text_at(200) == before.text_at(200)


def test_a_decoder_reads_another_session_of_the_same_neurons(model, plant):
    whole = plant(5, n_frames=800)
    first, second = (
        replace(
            whole,
            traces=whole.traces[:, part],
            behaviour=whole.behaviour.iloc[part].reset_index(drop=True),
        )
        for part in (slice(0, 450), slice(450, 800))
    )
    decoder = decode(model, first, "speed", shifts=0, folds=2).decoder
    decoded = decoder.apply(model, second)
    found = decoder.judge(decoded, read_target(second, "speed"))
    assert found.score > 0.6
    assert found.p_value < 0.02
    truth = second.behaviour["speed"].to_numpy()[decoded.number]
    missed = np.mean((truth - decoded.values) ** 2) / np.var(truth)
    assert found.score == pytest.approx(1 - missed)


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("head", ["pooled", "attention"])
def test_a_decoder_of_some_animals_reads_another_with_other_neurons(
    model, animals, tmp_path, head
):
    decoder = fit_decoder(model, animals[1:], "running", settings=Settings(head=head))
    assert decoder.reads_any_neurons
    decoder = load_decoder(save_decoder(decoder, tmp_path / "any.safetensors"))
    decoded = decoder.apply(model, animals[0])
    found = decoder.judge(decoded, read_target(animals[0], "running"))
    assert found.score > 0.65
    assert found.p_value < 0.02
    assert ", above the behaviour shifted in a circle" in found.verdict()


def test_numbers_are_read_in_another_animal(model, animals):
    decoder = fit_decoder(model, animals[1:], "speed")
    found = decoder.judge(decoder.apply(model, animals[0]), read_target(animals[0], "speed"))
    assert found.measure == "R2"
    assert found.score > 0.3


def test_several_animals_need_a_head_without_neurons(model, animals):
    with pytest.raises(CalmError, match="take the head attention or pooled"):
        fit_decoder(model, animals, "running", settings=Settings(head="blend"))
    with pytest.raises(CalmError, match="found 1 recording"):
        fit_decoder(model, animals[:1], "running")
    faster = replace(animals[1], frame_rate_hz=20.0)
    with pytest.raises(CalmError, match="5 to 20 frames a second"):
        fit_decoder(model, [animals[0], faster], "running")


def test_recordings_that_a_decoder_cannot_read_are_refused(model, recording, decoder):
    with pytest.raises(RecordingError, match="its 5 neurons are not the 14"):
        decoder.apply(model, replace(recording, traces=recording.traces[:5]))
    with pytest.raises(RecordingError, match="10 frames a second"):
        decoder.apply(model, replace(recording, frame_rate_hz=10.0))
    other = CalmModel.random(seed=4, context_frames=16, max_frames=64)
    linear = decode(model, recording, "running", head="linear", shifts=0, folds=2).decoder
    with pytest.raises(CheckpointError, match="found a model of that name with other weights"):
        linear.apply(other, recording)
    other.config = replace(other.config, name="another")
    with pytest.raises(CheckpointError, match="found another"):
        linear.apply(other, recording)
    of_before = replace(linear, model_fingerprint="")
    with pytest.raises(CheckpointError, match="found another"):
        of_before.apply(other, recording)
    of_before.check(model, recording)


def test_a_variable_of_another_kind_is_not_compared(model, recording, states, decoder):
    decoded = decoder.apply(model, recording, states=states)
    with pytest.raises(CalmError, match="found continuous values"):
        decoder.judge(decoded, read_target(recording, "speed"))
    colours = np.resize(["red", "blue"], recording.n_frames)
    with pytest.raises(CalmError, match="found the classes blue, red"):
        decoder.judge(decoded, read_target(recording, colours))


def test_files_that_hold_no_decoder_are_refused(decoder, tmp_path):
    with pytest.raises(CheckpointError, match="not readable"):
        load_decoder(tmp_path / "missing.safetensors")
    other = tmp_path / "other.safetensors"
    save_file({"a": np.zeros(3)}, other)
    with pytest.raises(CheckpointError, match="found 'no format'"):
        load_decoder(other)
    save_file(
        {"a": np.zeros(3)},
        other,
        {"format": "napari-calm decoder 1", "decoder": json.dumps({"settings": {}})},
    )
    with pytest.raises(CheckpointError, match="not readable"):
        load_decoder(other)
    whole = save_decoder(decoder, tmp_path / "whole.safetensors")
    whole.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match="not readable"):
        load_decoder(whole)
    with pytest.raises(CalmError, match=r"written as \.safetensors"):
        save_decoder(decoder, tmp_path / "decoder.npz")


def adapted_to(model, recording, seed):
    """An adaptation whose rows are random; nothing else of the model is changed."""
    rng = np.random.default_rng(seed)
    width = model.config.dynamics.width
    adaptation = Adaptation(
        model.name,
        recording.name,
        recording.n_frames,
        recording.roi_labels,
        {
            "neuron_rows": torch.as_tensor(
                rng.normal(size=(recording.n_neurons, width)), dtype=torch.float32
            ),
            "session_row": torch.as_tensor(rng.normal(size=width), dtype=torch.float32),
        },
        1.0,
        0.5,
    )
    return adaptation, adaptation.apply(model)


def test_a_decoder_of_an_adapted_model_is_applied_with_that_adaptation_only(
    model, recording, tmp_path
):
    adaptation, adapted = adapted_to(model, recording, 0)
    found = decode(adapted, recording, "speed", head="linear", shifts=0, folds=2)
    assert found.decoder.model_name == "random (adapted to animal)"
    decoder = load_decoder(save_decoder(found.decoder, tmp_path / "speed.safetensors"))
    _, otherwise = adapted_to(model, recording, 1)
    with pytest.raises(CheckpointError, match=r"found random\. Use that adaptation"):
        decoder.apply(model, recording)
    with pytest.raises(CheckpointError, match="an adaptation of that name with other weights"):
        decoder.apply(otherwise, recording)
    again = load_adaptation(adaptation.save(tmp_path / "rows.safetensors")).apply(model)
    np.testing.assert_array_equal(
        decoder.apply(again, recording).outputs, found.decoder.apply(adapted, recording).outputs
    )
    zero_shot = decode(model, recording, "speed", head="linear", shifts=0, folds=2).decoder
    with pytest.raises(CheckpointError, match="that model, without an adaptation"):
        zero_shot.apply(adapted, recording)


def test_decoders_that_read_no_states_take_any_model_and_rows_belong_to_one_animal(
    model, animals
):
    _, adapted = adapted_to(model, animals[0], 0)
    decoder = decode(adapted, animals[0], "running", head="pooled", shifts=0, folds=2).decoder
    assert not decoder.reads_states
    assert decoder.apply(model, animals[1]).outputs.shape == (
        decoder.apply(CalmModel.random(seed=9, context_frames=16), animals[1]).outputs.shape
    )
    with pytest.raises(RecordingError, match="not the 10 that the model was adapted to"):
        fit_decoder(adapted, animals[:3], "running")


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("head", ["blend", "bilinear", "pooled"])
def test_weights_tell_what_each_neuron_adds_in_the_recording_that_is_read(
    model, recording, states, of_speed, head
):
    found = of_speed
    if head != "blend":
        found = decode(model, recording, "speed", states=states, head=head, shifts=0, folds=2)
    weights = found.decoder.neuron_weights(recording, states)
    np.testing.assert_allclose(weights.sum(), 1.0)
    # The same neurons as where it was fitted, though not the very same frames.
    assert np.corrcoef(weights, found.neuron_weights)[0, 1] > 0.95


def test_a_neuron_that_is_still_adds_nothing_and_a_mute_decoder_has_no_weights(
    recording, states, of_speed
):
    only_traces = of_speed.decoder
    fitted = only_traces.fitted
    kept = {part: one for part, one in fitted.readouts.items() if one.source == "traces"}
    only_traces = replace(
        only_traces,
        fitted=replace(fitted, readouts=kept, shares=dict.fromkeys(kept, 1.0)),
    )
    traces = recording.traces.copy()
    traces[4] = traces[4].mean() + 0.001 * traces[4]
    weights = only_traces.neuron_weights(replace(recording, traces=traces), states)
    assert weights[4] < 0.01 * np.median(weights)
    moving = only_traces.neuron_weights(recording, states)
    others = np.delete(np.arange(14), 4)
    np.testing.assert_allclose(
        weights[others] / weights[others].sum(),
        moving[others] / moving[others].sum(),
        rtol=1e-3,
    )
    mute = replace(only_traces, fitted=replace(fitted, readouts={}, shares={}))
    assert mute.neuron_weights(recording, states) is None


@pytest.mark.parametrize("variable", ["speed", "running", "heading"])
def test_a_decoding_comes_back_whole_from_its_archive(
    model, recording, states, tmp_path, variable
):
    before = decode(model, recording, variable, states=states, shifts=2, folds=2)
    archive_decoding(before, tmp_path / "decoding.npz")
    after = read_decoding(tmp_path / "decoding.npz")
    assert after.verdict() == before.verdict()
    assert after.looks_at == before.looks_at
    pd.testing.assert_frame_equal(after.table(), before.table())
    pd.testing.assert_frame_equal(after.neuron_table(), before.neuron_table())
    pd.testing.assert_frame_equal(after.summary(), before.summary())
    applied = Applied.of(before.decoder, recording, states)
    archive_applied(applied, tmp_path / "applied.npz")
    again = read_applied(tmp_path / "applied.npz")
    pd.testing.assert_frame_equal(
        again.decoded.table(again.truth), applied.decoded.table(applied.truth)
    )
    np.testing.assert_array_equal(again.weights, applied.weights)
    assert again.said == applied.said
    with pytest.raises(CalmError, match="not readable as a decoding"):
        read_decoding(tmp_path / "applied.npz")
    whole = (tmp_path / "decoding.npz").read_bytes()
    (tmp_path / "decoding.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CalmError, match=r"decoding\.npz"):
        read_decoding(tmp_path / "decoding.npz")
