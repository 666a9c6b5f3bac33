from zipfile import ZipFile

import numpy as np
import pytest
import roifile
from napari.layers import Labels

from napari_calm.core.errors import CalmError
from napari_calm.io.imagej import read_imagej_rois
from napari_calm.io.labels import read_footprints
from napari_calm.io.traces import read_traces_npz
from napari_calm.widgets.plugin import write_rois
from napari_calm.widgets.recording_layers import OpenedFolder, layers_of_folder


def as_saved(layer):
    data, attributes, _ = layer.as_layer_data_tuple()
    return data, attributes


@pytest.fixture
def rois(recording):
    """Return the ROI layer of a recording, with a cluster for each neuron."""
    data, arguments, _ = layers_of_folder(OpenedFolder(recording))[-1]
    layer = Labels(data, **arguments)
    table = layer.features.copy()
    table["cluster"] = np.arange(len(table)) % 3
    layer.features = table
    return layer


def test_imagej_gets_the_outlines_and_the_clusters_as_groups(rois, recording, tmp_path):
    path = str(tmp_path / "rois.zip")
    assert write_rois(path, *as_saved(rois)) == [path]
    shape = recording.footprints.image_shape
    read = read_imagej_rois(path, image_shape=shape)
    np.testing.assert_array_equal(read.label_image, recording.footprints.label_image)
    with ZipFile(path) as archive:
        groups = [
            roifile.ImagejRoi.frombytes(archive.read(name)).group for name in archive.namelist()
        ]
    by_label = dict(zip(rois.features["index"], rois.features["cluster"], strict=True))
    assert groups == [by_label[label] + 1 for label in recording.footprints.label_values]


def test_the_recording_comes_along_where_the_format_holds_it(rois, recording, tmp_path):
    path = str(tmp_path / "all.npz")
    write_rois(path, *as_saved(rois))
    np.testing.assert_array_equal(read_traces_npz(path).traces, recording.traces)


def test_labels_of_the_users_own_become_footprints_and_are_not_taken_for_traces(tmp_path):
    labels = np.zeros((12, 12), int)
    labels[2:5, 3:6] = 7
    layer = Labels(labels, name="mine")
    write_rois(str(tmp_path / "mine.npz"), *as_saved(layer))
    np.testing.assert_array_equal(read_footprints(tmp_path / "mine.npz").label_image, labels)
    with pytest.raises(CalmError, match="'mine' holds ROIs without traces"):
        write_rois(str(tmp_path / "mine.nwb"), *as_saved(layer))
    assert not (tmp_path / "mine.nwb").exists()


def test_napari_saves_by_the_manifest(viewer, tmp_path):
    labels = np.zeros((12, 12), int)
    labels[2:5, 3:6] = 7
    viewer.add_labels(labels, name="mine")
    saved = viewer.layers.save(str(tmp_path / "mine.zip"), plugin="napari-calm")
    assert read_imagej_rois(saved[0], image_shape=(12, 12)).n_neurons == 1
