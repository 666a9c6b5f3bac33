"""Bringing traces into the shape a checkpoint was trained on, causally."""
