"""Draws Vega-Lite specifications as SVG, to stand in a page.

A chart is drawn once, here, so that the page needs no script and prints. Its
colours are CSS variables, which the page gives values for light, dark and print.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import vl_convert
from markupsafe import Markup

Spec = dict[str, Any]

# Of a chart with its axes, in CSS pixels: as wide as a phone's page is.
WIDTH = 340
HEIGHT = 264

INK = 'var(--ink)'
MUTED = 'var(--muted)'
LINE = 'var(--line)'
ACCENT = 'var(--accent)'
OTHER = 'var(--other)'

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
    # The name of a vertical axis is read more easily above it than along it.
    'axisLeft': {
        'titleAngle': 0,
        'titleAlign': 'left',
        'titleAnchor': 'start',
        'titleBaseline': 'bottom',
        'titleX': -28,
        'titleY': -8,
    },
    # Only marks that have a description say what they are.
    'mark': {'aria': False},
    'text': {'color': INK, 'fontSize': 11},
    'line': {'strokeWidth': 2, 'strokeCap': 'round', 'strokeJoin': 'round'},
}
# What an SVG in a page has no use for, as the page says what it is.
_SUPERFLUOUS = ('role', 'aria-roledescription', 'aria-hidden', 'aria-label', 'pointer-events')


def draw(spec: Spec, name: str, *, height: int = HEIGHT, width: int = WIDTH) -> Markup:
    """Draw a chart.

    Args:
        spec: A Vega-Lite specification of one view, or of layers. What it gives
            a mark as `description` is shown by a browser under the pointer.
        name: What the chart is and says, for those who do not see it.
        height: Of the whole, in CSS pixels.
        width: Of the whole.

    Returns:
        An `svg` element that scales with what it stands in.

    Raises:
        ValueError: If the specification is none.
    """
    whole = {
        'width': width,
        'height': height,
        'autosize': {'type': 'fit', 'contains': 'padding'},
        'config': _CONFIG,
        **spec,
    }
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(_printable(whole)))
    for element in root.iter():
        told = element.get('aria-label') if element.get('role') == 'graphics-symbol' else None
        for attribute in _SUPERFLUOUS:
            element.attrib.pop(attribute, None)
        if told:
            ElementTree.SubElement(element, f'{_SVG}title').text = told
    return as_image(root, name)


def as_image(root: ElementTree.Element, name: str, kind: str = 'chart') -> Markup:
    """Return an SVG element as markup: one image, with a name, of a class of the page's."""
    width, height = root.attrib['width'], root.attrib['height']
    root.attrib.clear()
    root.attrib.update(
        {'class': kind, 'role': 'img', 'aria-label': name, 'viewBox': f'0 0 {width} {height}'}
    )
    root.attrib['width'] = width
    # In a page, SVG needs no prefix.
    ElementTree.register_namespace('', _SVG.strip('{}'))
    return Markup(ElementTree.tostring(root, encoding='unicode'))


_UNPRINTABLE = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]')


def printable(text: str) -> str:
    """Replace what neither XML nor UTF-8 can hold; texts have all sorts of characters."""
    return _UNPRINTABLE.sub('\ufffd', text)


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_printable(item) for item in value]
    return value
