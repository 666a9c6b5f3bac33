import numpy as np
import pytest
from scipy.ndimage import binary_erosion, shift

from napari_calm.core.errors import CalmError
from napari_calm.preprocess.baseline import running_baseline
from napari_calm.simulate.movie import render_movie, render_movie_steps
from napari_calm.simulate.session import simulate_session


@pytest.fixture(scope="module")
def session():
    return simulate_session(seed=1, n_neurons=40, n_trials=3)


@pytest.fixture(scope="module")
def rendered(session):
    return render_movie(session)


def weighted_fluorescence(rendered):
    """Mean of the pixels of each footprint, dark level taken off, (neurons, frames)."""
    weights = rendered.footprints.weights.toarray().astype(float)
    pixels = np.asarray(rendered.movie.frames, float).reshape(rendered.movie.n_frames, -1)
    return (weights / weights.sum(axis=1, keepdims=True)) @ (pixels.T - 300)


def test_traces_taken_from_the_movie_follow_the_truth(session, rendered):
    fluorescence = weighted_fluorescence(rendered)
    dff = fluorescence / running_baseline(fluorescence, 6.0) - 1
    correlation = np.array(
        [np.corrcoef(a, b)[0, 1] for a, b in zip(dff, session.truth.dff, strict=True)]
    )
    assert np.median(correlation) > 0.75
    # Light is scarce: a movie that gave the truth back exactly would teach nothing.
    assert np.median(correlation) < 0.98


def test_the_movie_belongs_to_the_recording(session, rendered):
    recording = session.recording.with_companions(
        movie=rendered.movie, footprints=rendered.footprints
    )
    assert recording.movie.n_frames == recording.n_frames
    assert recording.movie.frame_rate_hz == 6.0
    assert recording.movie.pixel_size_um == 1.5
    assert rendered.movie.frames.dtype == np.uint16


def test_photon_noise_has_the_variance_of_a_poisson_process():
    session = simulate_session(seed=1, n_neurons=1, n_trials=4, drift_dff=0.0)
    movie = render_movie(session, image_shape=(32, 32), neuropil_share=1.0)
    photons = (np.asarray(movie.movie.frames, float) - 300) / 60
    # Differences between frames take away what changes slowly; read noise has variance 0.36.
    variance = np.diff(photons, axis=0).var(axis=0) / 2 - 0.36
    away = movie.footprints.label_image == 0
    assert variance[away].mean() == pytest.approx(photons.mean(axis=0)[away].mean(), rel=0.05)


def test_footprints_have_the_size_of_somata_and_some_overlap(rendered):
    footprints = rendered.footprints
    assert footprints.n_neurons == 40
    assert footprints.weights.max() == 1.0
    half_weight_px = np.array([(footprints.weights[[i]].data > 0.5).sum() for i in range(40)])
    diameter_um = 1.5 * np.sqrt(4 / np.pi * np.median(half_weight_px))
    assert 8 < diameter_um < 14
    assert 0.05 < (footprints.overlap_share > 0).mean() < 0.9
    assert footprints.label_image.max() == 40


def test_many_somata_have_a_dark_nucleus(rendered):
    weights = rendered.footprints.weights.toarray().reshape(-1, 96, 96)
    middle = np.round(rendered.footprints.centroids_px).astype(int)
    center = weights[np.arange(40), middle[:, 0], middle[:, 1]]
    assert 0.4 < (center < 0.8).mean() < 0.95


def test_somata_are_brighter_and_vessels_darker_than_the_rest(rendered):
    mean = np.asarray(rendered.movie.frames, float).mean(axis=0) - 300
    soma = rendered.footprints.label_image > 0
    vessel = binary_erosion(rendered.vessels) & ~soma
    rest = ~soma & ~rendered.vessels
    assert np.median(mean[soma]) > 1.5 * np.median(mean[rest])
    assert np.median(mean[vessel]) < 0.6 * np.median(mean[rest])
    assert 0.01 < rendered.vessels.mean() < 0.3


def test_neuropil_follows_the_mean_activity(session, rendered):
    away = (rendered.footprints.label_image == 0) & ~rendered.vessels
    neuropil = np.asarray(rendered.movie.frames)[:, away].mean(axis=1)
    activity = session.truth.dff.mean(axis=0)
    assert np.corrcoef(neuropil, activity)[0, 1] > 0.5


def test_motion_moves_the_image_as_far_as_it_says(session):
    options = {"image_shape": (64, 64), "photons_per_pixel": 400.0}
    still = render_movie(session, **options)
    moving = render_movie(session, motion_px=2.0, **options)
    assert (still.shifts_px == 0).all()
    assert moving.shifts_px.std() == pytest.approx(2.0, rel=0.35)
    far = np.argsort(-np.abs(moving.shifts_px).sum(axis=1))[:5]
    inner = (slice(8, -8), slice(8, -8))
    for frame in far:
        before = np.asarray(still.movie.frames[frame], float)
        after = np.asarray(moving.movie.frames[frame], float)
        put_back = shift(after, -moving.shifts_px[frame], order=1, mode="nearest")
        unmoved = np.corrcoef(after[inner].ravel(), before[inner].ravel())[0, 1]
        corrected = np.corrcoef(put_back[inner].ravel(), before[inner].ravel())[0, 1]
        assert corrected > 0.9
        assert corrected > unmoved + 0.1


def test_sessions_of_one_animal_show_the_same_field_of_view_and_animals_differ():
    def footprints(**which):
        small = simulate_session(seed=1, n_neurons=10, n_trials=1, **which)
        return render_movie(small, image_shape=(48, 48)).footprints.weights.toarray()

    first = footprints(animal=0, session=0)
    np.testing.assert_array_equal(first, footprints(animal=0, session=1))
    assert not np.array_equal(first, footprints(animal=1, session=0))


def test_a_large_fine_field_of_view_renders():
    session = simulate_session(n_neurons=5, n_trials=1, frame_rate_hz=0.5)
    movie = render_movie(session, image_shape=(600, 500), pixel_size_um=0.5)
    assert movie.movie.image_shape == (600, 500)
    assert np.median(movie.footprints.areas_px) == pytest.approx(np.pi * 12**2, rel=0.4)


def test_the_same_seed_gives_the_same_movie_and_another_seed_another(session):
    a, b, c = (
        render_movie(session, image_shape=(32, 32), seed=seed).movie.frames
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_eight_bits_are_used_well_without_clipping(session):
    frames = render_movie(session, dtype="uint8").movie.frames
    assert frames.dtype == np.uint8
    assert (frames == 255).mean() < 1e-4
    assert (frames == 0).mean() < 1e-3
    assert frames.max() > 80


def test_frames_go_where_they_are_wanted_and_progress_counts_them(session, tmp_path):
    shape = (session.recording.n_frames, 96, 96)
    wanted = np.memmap(tmp_path / "movie.raw", np.uint16, "w+", shape=shape)
    steps = list(render_movie_steps(session, out=wanted))
    done = [step.done for step in steps]
    assert done == sorted(done)
    assert steps[-1].fraction == 1
    assert len(set(done)) > 3
    np.testing.assert_array_equal(wanted, render_movie(session).movie.frames)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"dtype": "float32"}, "float32.*uint8, uint16"),
        ({"image_shape": (4, 96)}, r"\(4, 96\).*at least 8"),
        ({"photons_per_pixel": 0.0}, "photons_per_pixel is 0.0"),
        ({"motion_px": -1.0}, "motion_px is -1.0"),
        ({"out": np.empty((2, 96, 96), np.uint16)}, r"out is uint16 of shape \(2, 96, 96\)"),
    ],
)
def test_options_out_of_range_are_named(session, wrong, message):
    with pytest.raises(CalmError, match=message):
        render_movie(session, **wrong)
