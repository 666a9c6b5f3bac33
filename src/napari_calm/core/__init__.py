"""The things the rest speaks about: recordings, footprints, tokens, forecasts, errors."""
