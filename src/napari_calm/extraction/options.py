"""How traces are made of a movie."""

from dataclasses import asdict, dataclass

from ..core.errors import RecordingError
from ..preprocess.baseline import DEFAULT_PERCENTILE, DEFAULT_WINDOW_S


@dataclass(frozen=True)
class ExtractionOptions:
    """What `napari_calm.extract` may be told beyond movie, ROIs and frame rate.

    Parameters
    ----------
    window_s, percentile : float
        Window in seconds and percentile of the running baseline.
    neuropil_coefficient : float
        Share of the surround to subtract: 0 to 1, 0.7 is usual for two-photon movies.
    exclude_overlaps : bool
        Leave out pixels that several ROIs share.

    Raises
    ------
    RecordingError
        If a number makes no sense.
    """

    window_s: float = DEFAULT_WINDOW_S
    percentile: float = DEFAULT_PERCENTILE
    neuropil_coefficient: float = 0.0
    exclude_overlaps: bool = False

    def __post_init__(self) -> None:
        for name, value, (low, high), hint in (
            ("window of the baseline", self.window_s, (1e-3, 1e6), "seconds; 60 is usual"),
            ("percentile of the baseline", self.percentile, (0, 100), "20 is usual"),
            ("neuropil coefficient", self.neuropil_coefficient, (0, 2), "0.7 is usual"),
        ):
            if not low <= value <= high:
                raise RecordingError(
                    f"the {name} is {value:g}; expected {low:g} to {high:g} ({hint})."
                )

    def changed(self) -> dict[str, float | bool]:
        """Return what differs from the defaults."""
        usual = asdict(ExtractionOptions())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}
