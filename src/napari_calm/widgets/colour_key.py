"""What colours stand for: a legend of categories, or a colour bar with its unit."""

import numpy as np
from qtpy.QtCore import QRectF, QSize
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from .colouring import Colouring

_MOST_NAMED = 24


class ColourKey(QWidget):
    """One line, more if it needs them, that tells what colours mean.

    Parameters
    ----------
    counts : bool
        Whether to tell how many there are of each category.
    """

    def __init__(self, *, counts: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts = counts
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.low, self.high = QLabel(), QLabel()
        self.bar = _Bar()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.text, 1)
        for part in (self.low, self.bar, self.high):
            layout.addWidget(part)
        layout.addStretch(0)
        self._layout = layout

    def show_colouring(self, colouring: Colouring) -> None:
        """Tell what `colouring` means."""
        has_bar = bool(len(colouring.ramp))
        for part in (self.low, self.bar, self.high):
            part.setVisible(has_bar)
        # A legend may need all the room; a bar stands beside its name.
        self._layout.setStretch(0, int(not has_bar))
        self._layout.setStretch(self._layout.count() - 1, int(has_bar))
        self.text.setWordWrap(not has_bar)
        if has_bar:
            unit = f" ({colouring.unit})" if colouring.unit else ""
            self.text.setText(f"{colouring.name}{unit}")
            self.low.setText(f"{colouring.limits[0]:.3g}")
            self.high.setText(f"{colouring.limits[1]:.3g}")
            self.bar.set_ramp(colouring.ramp)
        else:
            self.text.setText(_legend(colouring, counts=self._counts))
        self.text.setVisible(bool(self.text.text()))


class _Bar(QWidget):
    """A strip that runs through the colours of a ramp."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Be large enough to tell colours apart."""
        return QSize(90, 10)

    def set_ramp(self, ramp: np.ndarray) -> None:
        """Show `ramp`, (steps, 3) uint8, from left to right."""
        row = np.ascontiguousarray(ramp, np.uint8)
        image = QImage(row.data, len(row), 1, row.nbytes, QImage.Format.Format_RGB888)
        # The image does not own the row's memory.
        self._image = image.copy()
        self.update()

    def paintEvent(self, _event) -> None:
        """Stretch the ramp over the strip."""
        painter = QPainter(self)
        painter.drawImage(QRectF(self.rect()), self._image)


def _legend(colouring: Colouring, *, counts: bool) -> str:
    if not colouring.categories:
        return ""
    parts = [
        f"<span style='color: rgb({r}, {g}, {b})'>&#9632;</span>&nbsp;{name}"
        + (f"&nbsp;({count})" if counts else "")
        for (r, g, b), name, count in zip(
            colouring.category_colours, colouring.categories, colouring.counts, strict=True
        )
        if count
    ]
    left_out = len(parts) - _MOST_NAMED
    if left_out > 0:
        parts = [*parts[:_MOST_NAMED], f"and {left_out} more"]
    without = int((~np.isfinite(colouring.values)).sum())
    if without:
        parts.append(f"none&nbsp;({without})" if counts else "grey: none")
    return f"{colouring.name}: {'&nbsp; '.join(parts)}"
