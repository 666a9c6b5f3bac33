"""Which neurons work together: embedding, clusters, and what follows behaviour."""

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QSizePolicy

from ..core.errors import CalmError
from ..core.progress import Progress
from ..explore.neuron_map import check_umap
from ..explore.partition import FEWEST_NEURONS
from .cluster_choices import ClusterChoices, explain
from .eliding import ElidingCombo
from .followed_column import FollowedColumn
from .job import Job
from .made_with import Request
from .model_section import ModelSection
from .more import More
from .reading import part_of, reading_steps
from .section import Section
from .session import ADAPTED, ZERO_SHOT, Session

PCA, UMAP = "PCA", "UMAP"
_MAPS = {
    PCA: "Keeps distances as far as two axes can.",
    UMAP: "Keeps neighbours; distances across it mean little. The first one takes a while.",
}


class EmbeddingSection(Section):
    """Cluster button and its choices, the map, and what follows a column."""

    def __init__(self, session: Session, job: Job, model: ModelSection) -> None:
        super().__init__("Embedding")
        self._session, self._job, self._model = session, job, model
        self._maps: dict[str, object] = {}
        self._maps_of = self._shown_clusters = self._shown_for = None
        self.choices = ClusterChoices(session)
        self.cluster = QPushButton("Cluster", objectName="calm_cluster")
        self.cluster.setToolTip(
            "Part the neurons into functional clusters, say how well they come back in other "
            "halves of the recording, and describe each by place, tokens and behaviour."
        )
        self.save = QPushButton("Save...", objectName="calm_save_clusters")
        self.save.setToolTip(
            "Save the clusters as npz (all of it) or csv (one row a neuron, and one row a "
            "cluster in a second file)."
        )
        self.map = ElidingCombo(objectName="calm_map")
        self.map.addItems(_MAPS)
        self.map.setToolTip("How the embedding is laid out in the scatter.")
        # The name of what is not installed must not widen the panel.
        self.map.setMinimumContentsLength(6)
        self.map.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for row, name in enumerate(_MAPS):
            explain(self.map, row, _MAPS[name], check_umap if name == UMAP else lambda: None)
        self.show_views = QPushButton("Show views", objectName="calm_show_explore")
        self.show_views.setToolTip(
            "Open the scatter, the raster, mean traces, trajectories and the table of clusters "
            "below the canvas."
        )
        self.more = More(name="calm_more_embedding")
        self.column = FollowedColumn(session, job, model)
        self._lay_out()
        self._connect()
        self._say_state()

    def _lay_out(self) -> None:
        self.choices.add_rows(self.form)
        buttons = QHBoxLayout()
        buttons.addWidget(self.cluster, 3)
        buttons.addWidget(self.save, 1)
        self.form.addRow(buttons)
        self.add_result_line()
        views = QHBoxLayout()
        views.addWidget(self.map, 1)
        views.addWidget(self.show_views, 1)
        self.form.addRow("Map", views)
        self.form.addRow(self.column)
        self.choices.add_rare_rows(self.more.form)
        self.column.add_rare_rows(self.more.form)
        self.form.addRow(self.more)

    def _connect(self) -> None:
        self.cluster.clicked.connect(self.start)
        self.save.clicked.connect(self._ask_where_to_save)
        self.map.activated.connect(self._on_map)
        job, session = self._job, self._session
        job.guard(self.cluster, self._missing)
        job.guard(self.save, lambda: "" if session.clusters else "Press Cluster first.")
        job.guard(
            self.show_views,
            lambda: "" if session.recording is not None else self._model.missing_to_run(),
        )
        job.changed.connect(self._on_job)
        session.recording_changed.connect(self._say_state)
        session.embedding_changed.connect(self._on_embedding)
        session.clusters_changed.connect(self._say_state)
        session.in_use_changed.connect(self._say_state)

    def release(self) -> None:
        """Stop following the session."""
        session = self._session
        session.recording_changed.disconnect(self._say_state)
        session.embedding_changed.disconnect(self._on_embedding)
        session.clusters_changed.disconnect(self._say_state)
        session.in_use_changed.disconnect(self._say_state)
        self.choices.release()
        self.column.release()

    def start(self) -> None:
        """Embed and cluster the neurons in use in the worker."""
        session, adaptation = self._session, self._session.adaptation_in_use
        used, known, map_name = session.in_use, session.reading, self._map_name
        embedding_request = self.choices.embedding_request()
        cluster_request = self.choices.cluster_request()
        options = {**embedding_request, **cluster_request, **used.options()}
        request = Request(self._model.used(), options)

        def steps(load):
            model = yield from load(adaptation)
            part = used.part
            reading = yield from part_of(reading_steps(model, part, known), 0, 3)
            from ..explore.cluster import cluster_steps
            from ..explore.embed import embed_steps

            embedding_it = embed_steps(
                model,
                part,
                representation=reading.representation,
                **embedding_request,
            )
            embedding = yield from part_of(embedding_it, 1, 3)
            clustering = cluster_steps(
                model, part, embedding=embedding, tokens=reading.tokens, **cluster_request
            )
            clusters = yield from part_of(clustering, 2, 3)
            embedding = used.among(embedding)
            neuron_map = yield from map_steps(embedding, map_name)
            return reading, embedding, neuron_map, used.among(clusters)

        def on_done(result) -> None:
            session.expect(used.recording)
            reading, embedding, neuron_map, clusters = result
            session.set_model(reading.model)
            session.set_reading(reading)
            session.set_embedding(embedding, neuron_map)
            session.requests["clusters"] = request
            session.set_clusters(clusters)

        self._job.start(self._model.in_memory(steps), title="Cluster", on_done=on_done)

    def save_to(self, path: str | Path) -> None:
        """Write the clusters to `path`; its ending says how."""
        from ..explore.files import write_clusters

        try:
            write_clusters(self._session.clusters, path, self._session.judgement)
        except (CalmError, OSError) as error:
            self.say(f"Not saved: {error}")
        else:
            self.say(f"{self._verdict()} Saved to {path}.")

    def _ask_where_to_save(self) -> None:
        path, kind = QFileDialog.getSaveFileName(
            self, "Save clusters", "clusters.csv", "Tables (*.csv);;Arrays (*.npz)"
        )
        if path:
            if Path(path).suffix.lower() not in (".npz", ".csv"):
                path += ".npz" if "npz" in kind else ".csv"
            self.save_to(path)

    @property
    def _map_name(self) -> str:
        return list(_MAPS)[self.map.currentIndex()]

    def _on_map(self, _index: int = 0) -> None:
        """Lay the embedding out anew, if there is one."""
        session, embedding, name = self._session, self._session.embedding, self._map_name
        if embedding is None:
            return
        if name in self._maps:
            session.set_embedding(embedding, self._maps[name])
            return

        def on_done(neuron_map) -> None:
            if session.embedding is embedding:
                session.set_embedding(embedding, neuron_map)

        self._job.start(map_steps(embedding, name), title=f"{name} map", on_done=on_done)

    def _on_embedding(self) -> None:
        embedding, neuron_map = self._session.embedding, self._session.neuron_map
        if embedding is not self._maps_of:
            self._maps_of, self._maps = embedding, {}
        if neuron_map is not None:
            self._maps[neuron_map.method] = neuron_map

    def _on_job(self) -> None:
        self.choices.set_enabled(not self._job.running)
        self.map.setEnabled(not self._job.running)
        neuron_map = self._session.neuron_map
        if not self._job.running and neuron_map is not None:
            # A map that failed or was cancelled is not the one that is shown.
            self.map.setCurrentIndex(list(_MAPS).index(neuron_map.method))

    def _missing(self) -> str:
        reason = self._model.missing_to_run()
        if reason:
            return reason
        count = self._session.in_use.count
        if count < FEWEST_NEURONS:
            return (
                f"{count} neurons are too few for clusters: at least "
                f"{FEWEST_NEURONS} are needed."
            )
        return reason

    def _say_state(self) -> None:
        session = self._session
        dropped, dropped_for = self._shown_clusters, self._shown_for
        self._shown_clusters, self._shown_for = session.clusters, session.recording
        if session.clusters is not None:
            self.say(self._verdict())
        elif dropped is not None and dropped_for is session.recording:
            kind = ZERO_SHOT if session.adaptation_in_use is None else ADAPTED
            self.say(f"Clusters dropped: the {kind} model is in use now. Press Cluster again.")
        else:
            self.say(self._missing())
        self._job.refresh_buttons()

    def _verdict(self) -> str:
        found = self._session.clusters
        embedding = self._session.embedding
        left_out = 0 if embedding is None else int((~embedding.known).sum())
        among = f" {left_out} rejected neurons left out." if left_out else ""
        stale = ""
        if embedding is not None:
            stale = self._session.in_use.differs(embedding.known, "Clusters are", "Cluster")
        return (
            f"{stale} {found.verdict()}{among} By {found.method} on {found.source} of "
            f"{found.model_name}."
        ).strip()


def map_steps(embedding, name: str):
    """Lay an embedding out in a plane, by `PCA` or `UMAP`."""
    yield Progress(0, 1, f"{name} of the embedding")
    from ..explore.neuron_map import pca_map, umap_map

    return umap_map(embedding) if name == UMAP else pca_map(embedding)
