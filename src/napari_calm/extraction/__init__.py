"""From movie and footprints to traces."""
