"""ROIs of all kinds: from files of ROIs, and from the analyses that found them."""

from collections.abc import Callable
from pathlib import Path

from ..core.footprints import Footprints
from .address import check_readable
from .caiman import read_caiman_rois
from .cellpose import ENDING, read_cellpose
from .extract_mat import read_extract_rois
from .imagej import is_imagej_roi, read_imagej_rois
from .kind import Kind, kind_of
from .labels import check_size, read_footprints
from .minian import read_minian_rois
from .nwb import read_nwb_rois
from .suite2p import read_suite2p_rois


def read_rois(
    path: str | Path,
    *,
    image_shape: tuple[int, int] | None = None,
    transpose: bool | None = None,
) -> Footprints:
    """Read ROIs from whatever holds some.

    Parameters
    ----------
    path : path
        A label image (TIFF, PNG), an archive of footprints (npz), ImageJ ROIs (``.roi`` or
        zip), Cellpose's ``_seg.npy``; or the results of suite2p, CaImAn, minian or EXTRACT, or
        an NWB file, whose traces are then left alone.
    image_shape : (int, int), optional
        Height and width that the ROIs must lie on: those of the movie.
    transpose : bool, optional
        NWB: exchange the axes of the masks, or do not, whatever the file shows.

    Raises
    ------
    RecordingError
        If the file is missing or of another kind, holds no ROI, or has another size than
        `image_shape`.
    """
    path = check_readable(path)
    if path.is_file() and is_imagej_roi(path):
        return read_imagej_rois(path, image_shape=image_shape)
    if path.name.lower().endswith(ENDING):
        return check_size(read_cellpose(path), image_shape, path)
    kind = kind_of(path)
    if kind is Kind.NWB:
        return check_size(read_nwb_rois(path, transpose=transpose), image_shape, path)
    if kind in _OF_ANALYSES:
        return check_size(_OF_ANALYSES[kind](path), image_shape, path)
    return read_footprints(path, image_shape=image_shape)


_OF_ANALYSES: dict[Kind, Callable[[Path], Footprints]] = {
    Kind.SUITE2P: lambda path: read_suite2p_rois(path if path.is_dir() else path.parent),
    Kind.CAIMAN: read_caiman_rois,
    Kind.MINIAN: read_minian_rois,
    Kind.EXTRACT: read_extract_rois,
}
