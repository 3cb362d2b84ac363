"""Draws charts as SVG with Vega-Lite.

The page needs no script, because a chart is drawn when the page is written. The
colours are CSS variables, which the page defines for light, dark and print.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

import vl_convert
from markupsafe import Markup

Spec = dict[str, Any]
Points = Iterable[tuple[float, float]]
Style = tuple[str, list[int]]  # colour and dashes of a line

# Size of a chart with its axes, in CSS pixels; a phone shows this width.
WIDTH = 340
HEIGHT = 264

INK = 'var(--ink)'
MUTED = 'var(--muted)'
LINE = 'var(--line)'
ACCENT = 'var(--accent)'
OTHER = 'var(--other)'
GOOD = 'var(--good)'
BAD = 'var(--bad)'
# Styles of lines that differ in their dashes as well.
STYLES: tuple[Style, ...] = (
    (ACCENT, []),
    (OTHER, [6, 4]),
    (INK, [2, 4]),
    (MUTED, [10, 3, 2, 3]),
    (ACCENT, [10, 5]),
    (OTHER, [1, 4]),
)
GUIDE: Style = (MUTED, [2, 4])

_SVG = '{http://www.w3.org/2000/svg}'
_CONFIG: Spec = {
    'background': None,
    'font': 'system-ui, sans-serif',
    'padding': {'left': 2, 'right': 6, 'top': 6, 'bottom': 2},
    'view': {'stroke': None},
    'axis': {
        'aria': False,
        'domain': False,
        'ticks': False,
        'gridColor': LINE,
        'labelColor': MUTED,
        'labelFontSize': 11,
        'labelPadding': 6,
        'titleColor': MUTED,
        'titleFontSize': 11,
        'titleFontWeight': 'normal',
        'titlePadding': 8,
    },
    # The title of a vertical axis is above it, where it is easy to read.
    'axisLeft': {
        'titleAngle': 0,
        'titleAlign': 'left',
        'titleAnchor': 'start',
        'titleBaseline': 'bottom',
        'titleX': -28,
        'titleY': -8,
    },
    # Only marks with a description have a label.
    'mark': {'aria': False},
    'text': {'color': INK, 'fontSize': 11},
    'line': {'strokeWidth': 2, 'strokeCap': 'round', 'strokeJoin': 'round'},
}
# The page itself describes the chart.
_SUPERFLUOUS = ('role', 'aria-roledescription', 'aria-hidden', 'aria-label', 'pointer-events')


def draw(layers: Sequence[Spec], name: str, *, height: int = HEIGHT) -> Markup:
    """Draw a chart.

    Args:
        layers: Vega-Lite specifications of the layers, from bottom to top.
        name: Text for readers who do not see the chart.
        height: Height in CSS pixels.

    Returns:
        An `svg` element.

    Example:
        x, y = number('x', 'epoch'), number('y', 'loss')
        chart = draw([line([(1, 0.6), (2, 0.4)], x, y)], 'Loss by epoch')
    """
    chart: Spec = {
        'layer': list(layers),
        'width': WIDTH,
        'height': height,
        'autosize': {'type': 'fit', 'contains': 'padding'},
        'config': _CONFIG,
    }
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(_printable(chart)))
    for element in root.iter():
        label = element.get('aria-label') if element.get('role') == 'graphics-symbol' else None
        for attribute in _SUPERFLUOUS:
            element.attrib.pop(attribute, None)
        if label:
            ElementTree.SubElement(element, f'{_SVG}title').text = label
    view_box = f'0 0 {root.attrib["width"]} {root.attrib["height"]}'
    attributes = {'class': 'chart', 'role': 'img', 'aria-label': printable(name)}
    root.attrib = {**attributes, 'width': root.attrib['width'], 'viewBox': view_box}
    # In a page, SVG needs no prefix.
    ElementTree.register_namespace('', _SVG.strip('{}'))
    return Markup(ElementTree.tostring(root, encoding='unicode'))


def number(
    field: str, title: str | None, domain: Sequence[float] | None = None, **axis: Any
) -> Spec:
    """Return the encoding of a number."""
    scale: Spec = {'zero': False} if domain is None else {'domain': list(domain), 'nice': False}
    return {'field': field, 'type': 'quantitative', 'title': title, 'scale': scale, 'axis': axis}


def category(field: str, title: str | None, names: Sequence[str], **axis: Any) -> Spec:
    """Return the encoding of names in a fixed order."""
    axis = {'grid': False, **axis}
    return {'field': field, 'type': 'nominal', 'title': title, 'sort': list(names), 'axis': axis}


def layer(values: Sequence[Any], mark: Spec, **encoding: Any) -> Spec:
    """Return a layer; a value's `label` is shown by a browser under the pointer."""
    if any('label' in value for value in values):
        mark = {**mark, 'aria': True}
        encoding['description'] = {'field': 'label'}
    return {'data': {'values': list(values)}, 'mark': mark, 'encoding': encoding}


def line(points: Points, x: Spec, y: Spec, style: Style = (ACCENT, []), **mark: Any) -> Spec:
    """Return a line through points."""
    mark = {'type': 'line', 'color': style[0], 'strokeDash': style[1], **mark}
    values = [{'x': at, 'y': value} for at, value in points]
    return layer(values, mark, x=x, y=y, order={'value': 0})


def dotted_line(axis: str, at: float, encoding: Spec) -> Spec:
    """Return a dotted line across the chart at a value of an axis."""
    mark = {'type': 'rule', 'color': GUIDE[0], 'strokeDash': GUIDE[1]}
    return layer([{axis: at}], mark, **{axis: encoding})


def dots(values: Sequence[Any], x: Spec, y: Spec, colour: str = ACCENT, size: int = 44) -> Spec:
    """Return dots at points with `x` and `y`."""
    mark = {'type': 'circle', 'color': colour, 'size': size, 'opacity': 1}
    return layer(values, mark, x=x, y=y)


def text(at: tuple[float, float], content: str, x: Spec, y: Spec, **mark: Any) -> Spec:
    """Return a text at a point."""
    values = [{'x': at[0], 'y': at[1]}]
    return layer(values, {'type': 'text', 'text': content, 'align': 'left', **mark}, x=x, y=y)


_UNPRINTABLE = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]')


def printable(text: str) -> str:
    """Replace characters that XML or UTF-8 cannot represent."""
    return _UNPRINTABLE.sub('\ufffd', text)


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value
