"""A virtual Y-maze session with known truth, and the movie a microscope would make of it."""

from .fluorescence import INDICATORS, Indicator
from .folder import write_session_folder, write_session_folder_steps
from .movie import RenderedMovie, render_movie, render_movie_steps
from .sample import sample_folder, write_sample, write_sample_steps
from .session import GroundTruth, SimulatedSession, simulate_cohort, simulate_session
from .tuning import GROUP_SHARES, GROUPS

__all__ = [
    "GROUPS",
    "GROUP_SHARES",
    "INDICATORS",
    "GroundTruth",
    "Indicator",
    "RenderedMovie",
    "SimulatedSession",
    "render_movie",
    "render_movie_steps",
    "sample_folder",
    "simulate_cohort",
    "simulate_session",
    "write_sample",
    "write_sample_steps",
    "write_session_folder",
    "write_session_folder_steps",
]
