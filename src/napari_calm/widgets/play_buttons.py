"""What plays the recording: a button, a speed, and whether what is in view is repeated."""

from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QPushButton, QWidget

from .playback import Playback

SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_AROUND_PX = 16
_ARROW_PX = 34


class PlayButtons(QWidget):
    """Plays and stops, at a speed, once or again and again."""

    def __init__(self, playback: Playback) -> None:
        super().__init__()
        self._playback = playback
        self.play = QPushButton(objectName="calm_play")
        self.play.setToolTip(
            "Play movie, overlays and traces as fast as they were recorded, or at the speed "
            "beside. Frames are left out where drawing takes longer than they last (Shift+P)."
        )
        self.speed = QComboBox(objectName="calm_play_speed")
        self.speed.setToolTip("How fast to play; 1x is as fast as it was recorded.")
        for speed in SPEEDS:
            self.speed.addItem(f"{speed:g}x", speed)
        self.speed.setCurrentIndex(SPEEDS.index(playback.speed))
        self.loop = QCheckBox("Loop", objectName="calm_play_loop")
        self.loop.setToolTip("Play what is in view of the traces again and again.")
        self.play.setCheckable(True)
        self.play.setFixedWidth(_width_of(self.play, ("Play", "Stop")) + _AROUND_PX)
        texts = [self.speed.itemText(index) for index in range(self.speed.count())]
        self.speed.setFixedWidth(_width_of(self.speed, texts) + _ARROW_PX)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 6, 0)
        layout.setSpacing(3)
        for each in (self.play, self.speed, self.loop):
            layout.addWidget(each)
        self.play.clicked.connect(playback.turn)
        self.speed.currentIndexChanged.connect(self._on_speed)
        self.loop.toggled.connect(self._on_loop)
        playback.changed.connect(self._refresh)
        self._refresh()

    def _on_speed(self, index: int) -> None:
        self._playback.set_speed(self.speed.itemData(index))

    def _on_loop(self, wanted: bool) -> None:
        self._playback.loops = wanted

    def _refresh(self) -> None:
        self.play.setChecked(self._playback.playing)
        self.play.setText("Stop" if self._playback.playing else "Play")


def _width_of(widget: QWidget, texts) -> int:
    return max(widget.fontMetrics().horizontalAdvance(text) for text in texts)
