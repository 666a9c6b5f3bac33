"""The layers that CalM draws over a movie, kept in step with the session."""

import numpy as np
import pandas as pd
from napari.utils.colormaps import Colormap, DirectLabelColormap

from ..core.footprints import Footprints
from ..preprocess.smooth import smooth_causally
from .geometry import Geometry
from .geometry import apply as apply_geometry
from .label_rows import rows_by_label
from .lazy_frames import PaintedFrames, neuron_image, only_neurons, ring_image
from .palette import neuron_colour, token_colours
from .session import Session
from .settings import read_colour_settings
from .turns import Turns

ROLE_KEY = "napari_calm_role"
# On the layer of its ROIs, or of its traces where it has none.
RECORDING_KEY = "napari_calm_recording"
# On what comes of a model: its title, and whether it was adapted to the recording.
MODEL_KEY, KIND_KEY = "napari_calm_model", "napari_calm_kind"
ROIS = "CalM ROIs"
ACTIVITY = "CalM activity"
TOKENS = "CalM tokens"
FORECAST = "CalM forecast"
FORECAST_ERROR = "CalM forecast error"

_UNSELECTED = (1.0, 1.0, 1.0, 0.45)
_COLORBAR_PX = (14, 90)
_REJECTED = (1.0, 0.35, 0.3, 0.35)
_MARKED = (1.0, 1.0, 1.0, 1.0)
_HIDDEN = (0.0, 0.0, 0.0, 0.0)
_MOST_VALUES_RANKED = 1_000_000


def role_of(layer) -> str:
    """Return which of CalM's layers `layer` is; an empty string if it is none."""
    return str(layer.metadata.get(ROLE_KEY, ""))


class SessionLayers:
    """Adds, updates and removes CalM's layers as the session changes.

    A layer that exists already gets new data; nothing is stacked up. One that
    the user deleted comes back with the next result.
    """

    def __init__(self, viewer, session: Session, turns: Turns | None = None) -> None:
        self._viewer, self._session = viewer, session
        self._turns = Turns() if turns is None else turns
        self._neuron_image: np.ndarray | None = None
        self._error_is_wanted = False
        session.recording_changed.connect(self._on_recording)
        session.tokens_changed.connect(self._on_tokens)
        session.forecast_changed.connect(self._on_forecast)
        session.selection_changed.connect(self._colour_rois)
        session.marked_changed.connect(self._colour_rois)
        session.accepted_changed.connect(self._colour_rois)
        session.code_changed.connect(self._colour_tokens)
        session.palette_changed.connect(self._on_palette)

    def close(self) -> None:
        """Stop following the session; the layers stay."""
        session = self._session
        session.recording_changed.disconnect(self._on_recording)
        session.tokens_changed.disconnect(self._on_tokens)
        session.forecast_changed.disconnect(self._on_forecast)
        session.selection_changed.disconnect(self._colour_rois)
        session.marked_changed.disconnect(self._colour_rois)
        session.accepted_changed.disconnect(self._colour_rois)
        session.code_changed.disconnect(self._colour_tokens)
        session.palette_changed.disconnect(self._on_palette)

    def find(self, role: str):
        """Return the layer of `role`, or None."""
        # The newest: a reader may just have added the ROIs of another recording.
        return next(
            (layer for layer in reversed(self._viewer.layers) if role_of(layer) == role), None
        )

    @property
    def geometry(self) -> Geometry:
        """Where the session's recording lies in napari's world."""
        return Geometry(self._session.recording.frame_rate_hz, self._session.pixel_size_um)

    @property
    def _footprints(self) -> Footprints | None:
        recording = self._session.recording
        return None if recording is None else recording.footprints

    def _on_recording(self) -> None:
        footprints = self._footprints
        self._neuron_image = (
            None
            if footprints is None
            else neuron_image(footprints.label_image, footprints.label_values)
        )
        self._turns.take(self._show_activity)
        self._turns.take(self._show_rois)

    def complete(self) -> None:
        """Show the recording if a panel was closed before all of it was shown."""
        if self._footprints is not None and self.find(ACTIVITY) is None:
            self._on_recording()

    def _show_activity(self) -> None:
        if self._neuron_image is None:
            self.remove(ACTIVITY)
            return
        traces = self._session.recording.traces
        activity = self._image(
            ACTIVITY,
            PaintedFrames(traces, self._neuron_image),
            contrast_limits=(0.0, high_value(traces)),
            colormap=read_colour_settings().activity,
            blending="additive",
        )
        activity.visible = True

    def _show_rois(self) -> None:
        recording, footprints = self._session.recording, self._footprints
        if footprints is None:
            self.remove(ROIS)
            return
        table = roi_features(footprints, recording.traces, recording.quality)
        features = rows_by_label(table)
        rois = self.find(ROIS)
        arguments = self.geometry.of_image()
        if rois is None:
            active = self._viewer.layers.selection.active
            rois = self._viewer.add_labels(
                footprints.label_image,
                name=ROIS,
                features=features,
                metadata={ROLE_KEY: ROIS, RECORDING_KEY: recording},
                opacity=1.0,
                colormap=DirectLabelColormap(color_dict={None: _UNSELECTED, 0: _HIDDEN}),
                **arguments,
            )
            self._viewer.layers.selection.active = active
        else:
            rois.data = footprints.label_image
            rois.features = features
            rois.metadata[RECORDING_KEY] = recording
            apply_geometry(rois, arguments)
        self._turns.take(self._outline_rois)

    def _outline_rois(self) -> None:
        rois = self.find(ROIS)
        if rois is not None and rois.contour == 0:
            rois.contour, rois.opacity = 1, 1.0
        self._colour_rois()

    def _colour_rois(self) -> None:
        """Outline the selected neurons in the colours of their traces, a marked one white."""
        rois, footprints = self.find(ROIS), self._footprints
        if rois is None or footprints is None:
            return
        labels = footprints.label_values
        # With tokens, every ROI has a rim in its token's colour already.
        others = _UNSELECTED if self.find(TOKENS) is None else _HIDDEN
        colours: dict = {None: others, 0: _HIDDEN}
        for neuron in np.flatnonzero(~self._session.accepted):
            colours[int(labels[neuron])] = _REJECTED
        for position, neuron in enumerate(self._session.selection):
            red, green, blue = neuron_colour(position)
            colours[int(labels[neuron])] = (red / 255, green / 255, blue / 255, 1.0)
        if self._session.marked is not None:
            colours[int(labels[self._session.marked])] = _MARKED
        rois.colormap = DirectLabelColormap(color_dict=colours)
        if self._session.pointed_at is not None:
            rois.selected_label = int(labels[self._session.pointed_at])

    def _on_palette(self) -> None:
        """Draw what is there in the colours that are set now."""
        colours = read_colour_settings()
        for role, colormap in ((ACTIVITY, colours.activity), (FORECAST, colours.forecast)):
            layer = self.find(role)
            if layer is not None:
                layer.colormap = colormap
        self._colour_rois()

    def _on_tokens(self) -> None:
        self._turns.take(self._show_tokens)
        self._turns.take(self._colour_rois)

    def _show_tokens(self) -> None:
        tokens = self._session.tokens
        if tokens is None or self._neuron_image is None:
            self.remove(TOKENS)
            return
        layer = self._image(
            TOKENS,
            PaintedFrames(
                tokens.tokens,
                only_neurons(ring_image(self._neuron_image), tokens.known),
                column_of_frame=tokens.token_of_frame(),
            ),
            contrast_limits=(-0.5, tokens.n_codes - 0.5),
            colormap=token_colormap(tokens.n_codes),
            blending="translucent_no_depth",
        )
        layer.visible = True

    def _colour_tokens(self) -> None:
        """Leave of the token map only the code that is looked at."""
        layer, tokens = self.find(TOKENS), self._session.tokens
        if layer is not None and tokens is not None:
            layer.colormap = token_colormap(tokens.n_codes, self._session.code)

    def _on_forecast(self) -> None:
        self._turns.take(self._show_forecast)
        self._turns.take(self._show_error)

    def _show_forecast(self) -> None:
        forecast = self._session.forecast
        if forecast is None or self._neuron_image is None:
            self.remove(FORECAST)
            return
        layer = self._image(
            FORECAST,
            PaintedFrames(forecast.mean, self._neuron_image),
            start_frame=forecast.start_frame,
            contrast_limits=(0.0, high_value(self._session.recording.traces)),
            colormap=read_colour_settings().forecast,
            blending="additive",
        )
        self._label(layer)
        layer.visible = True

    def show_error_map(self, wanted: bool) -> None:
        """Show, or no longer show, how far each neuron's forecast was off."""
        self._error_is_wanted = wanted
        self._show_error()

    def _show_error(self) -> None:
        forecast, recording = self._session.forecast, self._session.recording
        wanted = self._error_is_wanted and forecast is not None
        if (
            not wanted
            or self._neuron_image is None
            or forecast.start_frame >= recording.n_frames
        ):
            self.remove(FORECAST_ERROR)
            return
        layer = self._image(
            FORECAST_ERROR,
            PaintedFrames(forecast_error(recording.traces, forecast), self._neuron_image),
            start_frame=forecast.start_frame,
            contrast_limits=(0.0, high_value(recording.traces)),
            colormap="inferno",
            blending="translucent_no_depth",
        )
        self._label(layer)

    def _label(self, layer) -> None:
        """Say in a forecast's layer which model made it, and of what kind."""
        kind, role = self._session.forecast_kind, role_of(layer)
        layer.name = f"{role} ({kind})"
        made_by = {MODEL_KEY: self._session.forecast.model_name, KIND_KEY: kind}
        layer.metadata = {**layer.metadata, **made_by}

    def _image(self, role: str, frames: PaintedFrames, *, start_frame: int = 0, **look):
        """Add the image layer of `role`, or give the one that exists its new frames."""
        arguments = self.geometry.of_frames(start_frame=start_frame)
        layer = self.find(role)
        if layer is None:
            active = self._viewer.layers.selection.active
            layer = self._viewer.add_image(
                frames,
                name=role,
                rgb=False,
                multiscale=False,
                interpolation2d="nearest",
                metadata={ROLE_KEY: role},
                **arguments,
                **look,
            )
            self.rois_to_top()
            # The layer that the user works in stays the one that keys and clicks go to.
            self._viewer.layers.selection.active = active
            if role != TOKENS and hasattr(layer, "colorbar"):
                # A bar takes napari as long as the layer.
                self._turns.take(lambda: _show_colour_bar(layer))
        else:
            layer.data = frames
            # How it looks is the user's after the first time; what the numbers mean is ours.
            layer.contrast_limits = look["contrast_limits"]
            if role == TOKENS:
                layer.colormap = look["colormap"]
            apply_geometry(layer, arguments)
        return layer

    def rois_to_top(self) -> None:
        """Let the outlines of the ROIs lie above all else."""
        rois = self.find(ROIS)
        if rois is not None:
            layers = self._viewer.layers
            layers.move(layers.index(rois), len(layers))

    def remove(self, role: str) -> None:
        """Take the layer of `role` away, if it is there."""
        layer = self.find(role)
        if layer is not None:
            self._viewer.layers.remove(layer)


def _show_colour_bar(layer) -> None:
    layer.colorbar.size = _COLORBAR_PX
    layer.colorbar.visible = True


def high_value(traces: np.ndarray) -> float:
    """Return a dF/F that few values exceed, for the upper end of a colour scale."""
    stride = max(1, traces.size // _MOST_VALUES_RANKED)
    return max(float(np.percentile(traces[:, ::stride], 99.5)), 1e-3)


def forecast_error(traces: np.ndarray, forecast, neurons=slice(None)) -> np.ndarray:
    """Return how far the forecast mean was off, (neurons, frames known), dF/F."""
    stop = forecast.start_frame + forecast.horizon_frames
    truth = smooth_causally(traces[neurons, :stop], forecast.smoothing_alpha)[
        :, forecast.start_frame :
    ]
    return np.abs(truth - forecast.mean[neurons, : truth.shape[1]])


def token_colormap(n_codes: int, only: int | None = None) -> Colormap:
    """Return a colormap that gives each code its own flat colour, or hides all but one."""
    colours = token_colours(n_codes).copy()
    if only is not None:
        colours[np.arange(n_codes) != only, 3] = 0
    return Colormap(
        colours,
        name=f"{n_codes} codes" if only is None else f"code {only} of {n_codes}",
        interpolation="zero",
        controls=np.linspace(0, 1, n_codes + 1),
    )


def roi_features(
    footprints: Footprints,
    traces: np.ndarray | None = None,
    quality: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return one row a neuron; napari matches rows to labels by ``index``."""
    centroids = footprints.centroids_px
    features = pd.DataFrame(
        {
            "index": footprints.label_values,
            "neuron": np.arange(footprints.n_neurons),
            "area_px": footprints.areas_px,
            "centroid_y_px": centroids[:, 0].round(2),
            "centroid_x_px": centroids[:, 1].round(2),
            "overlap_share": footprints.overlap_share.round(3),
        }
    )
    if traces is not None:
        features["mean_dff"] = traces.mean(axis=1).round(4)
    if quality is not None:
        for name in quality.columns.difference(features.columns, sort=False):
            features[name] = quality[name].to_numpy().round(3)
    return features
