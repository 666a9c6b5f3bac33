"""A choice among the layers of a viewer that follows what happens to them."""

from collections.abc import Callable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QSizePolicy, QWidget

from .eliding import ElidingCombo


class LayerCombo(ElidingCombo):
    """Offers the layers for which `accepts` is true.

    Follows layers added, removed, reordered and renamed; keeps the chosen one
    while it exists, whatever it is called.

    Signals
    -------
    layer_changed
        Another layer, or none, is chosen.
    """

    layer_changed = Signal()

    def __init__(
        self,
        viewer,
        accepts: Callable[[object], bool],
        *,
        empty_text: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._accepts, self._empty_text = viewer, accepts, empty_text
        self._layers: list = []
        self._followed: list = []
        # Long layer names must not widen the panel.
        self.setMinimumContentsLength(10)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for event in self._list_events():
            event.connect(self.refresh)
        self.currentIndexChanged.connect(self._on_index_changed)
        self.refresh()

    def close_connections(self) -> None:
        """Stop following the viewer's layers."""
        for event in self._list_events():
            event.disconnect(self.refresh)
        for layer in self._followed:
            layer.events.name.disconnect(self.refresh)
        self._followed, self._layers = [], []

    @property
    def layer(self):
        """The chosen layer, or None."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def choose(self, layer) -> None:
        """Choose `layer`, if it is on offer."""
        for index, offered in enumerate(self._layers):
            if offered is layer or offered == layer:
                self.setCurrentIndex(index)

    def refresh(self, _event=None) -> None:
        """Read the viewer's layers again."""
        before = self.layer
        self._follow_names()
        self._layers = [layer for layer in self._viewer.layers if self._accepts(layer)]
        blocked = self.blockSignals(True)
        self.clear()
        self.addItems([layer.name for layer in self._layers] or [self._empty_text])
        self.setEnabled(bool(self._layers))
        kept = [
            i for i, layer in enumerate(self._layers) if before is not None and layer == before
        ]
        # Without a choice to keep, the newest layer is what the user just opened.
        self.setCurrentIndex(kept[0] if kept else max(0, len(self._layers) - 1))
        self.blockSignals(blocked)
        if not kept:
            self._on_index_changed()
        else:
            self.setToolTip(self.currentText())

    def _on_index_changed(self, _index: int = 0) -> None:
        self.setToolTip(self.currentText())
        self.layer_changed.emit()

    def _list_events(self) -> tuple:
        events = self._viewer.layers.events
        return events.inserted, events.removed, events.reordered

    def _follow_names(self) -> None:
        for layer in self._followed:
            layer.events.name.disconnect(self.refresh)
        self._followed = list(self._viewer.layers)
        for layer in self._followed:
            layer.events.name.connect(self.refresh)
