"""Lines of a drawing that become wider and narrower with it, as they do in a picture."""

import re

import numpy as np

_KEEPS_WIDTH = 'vector-effect="non-scaling-stroke" '
_EMPTY = re.compile(r"<g [^>]*>\s*</g>\s*")
_GROUP = re.compile(r'(<g [^>]*transform=")matrix\(([^)]*)\)("[^>]*>)(.*?)(</g>)', re.DOTALL)
_ELEMENT = re.compile(r"<(\w+) ([^>]*)>")
_OUTLINE = re.compile(r'\b(d|points)="([^"]*)"')
_PLACE = re.compile(r"(-?[\d.]+(?:e[-+]?\d+)?),(-?[\d.]+(?:e[-+]?\d+)?)")
_RECTANGLE = re.compile(
    r'<rect ([^>]*?)x="([^"]*)" y="([^"]*)" width="([^"]*)" height="([^"]*)"([^>]*)>'
)
_FLAT = ("path", "polyline", "polygon")


def scaling_lines(drawing: str) -> str:
    """Return an SVG drawing of Qt's, with lines that are scaled as the rest is.

    Qt writes lines that have one width whatever the zoom of a plot in the coordinates of the
    plot, and asks that their width be kept whatever the size of the drawing. In a figure that
    is made larger they would be too thin, and programs that do not know the request draw
    them as wide as the plot's coordinates happen to be. So their places are written in pixels
    of the drawing here, where widths need no such request. What draws nothing is left out.

    Parameters
    ----------
    drawing : str
        Written by ``QSvgGenerator``.
    """
    return _GROUP.sub(_flattened, _EMPTY.sub("", drawing))


def _flattened(group: re.Match) -> str:
    before, matrix, after, content, end = group.groups()
    content = _RECTANGLE.sub(_as_polygon, content)
    elements = _ELEMENT.findall(content)
    can_be = elements and all(
        name in _FLAT and _KEEPS_WIDTH in attributes for name, attributes in elements
    )
    if not can_be:
        return group.group()
    a, b, c, d, e, f = (float(part) for part in matrix.split(","))
    linear, shift = np.array([[a, b], [c, d]]), np.array([e, f])

    def moved(place: re.Match) -> str:
        x, y = np.array([float(part) for part in place.groups()]) @ linear + shift
        return f"{x:.2f},{y:.2f}"

    def outline(found: re.Match) -> str:
        return f'{found[1]}="{_PLACE.sub(moved, found[2])}"'

    content = _OUTLINE.sub(outline, content.replace(_KEEPS_WIDTH, ""))
    return f"{before}matrix(1,0,0,1,0,0){after}{content}{end}"


def _as_polygon(rectangle: re.Match) -> str:
    """Write a rectangle by its corners."""
    before, *numbers, after = rectangle.groups()
    x, y, width, height = (float(number) for number in numbers)
    corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    points = " ".join(f"{across:g},{down:g}" for across, down in corners)
    return f'<polygon {before}points="{points}"{after}>'
