"""The window: everything that knows napari and Qt."""
