import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from napari_calm.core.errors import CalmError, CheckpointError, RecordingError
from napari_calm.decoding.decode import decode
from napari_calm.decoding.decoder_file import load_decoder, save_decoder
from napari_calm.decoding.fit_decoder import fit_decoder
from napari_calm.decoding.settings import Settings
from napari_calm.decoding.target import read_target
from napari_calm.model.calm import CalmModel


@pytest.fixture(scope="module")
def decoder(model, recording, states):
    return decode(model, recording, "running", states=states, shifts=0, folds=2).decoder


@pytest.fixture(scope="module")
def animals(plant):
    return [plant(seed, n_neurons=10 + seed, name=f"animal {seed}") for seed in range(4)]


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("head", ["blend", "bilinear", "attention", "pooled"])
def test_a_decoder_says_the_same_when_it_comes_back(model, recording, states, tmp_path, head):
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
    other.config = replace(other.config, name="another")
    with pytest.raises(CheckpointError, match="found another"):
        decoder.apply(other, recording)


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
