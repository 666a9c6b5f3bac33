"""Functional structure: embeddings, selectivity, trajectories, probes and clusters."""
