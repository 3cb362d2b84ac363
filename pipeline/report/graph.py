"""Draws the nodes of a run, what each made, and who was given it, as SVG.

A layered drawing (Sugiyama et al., 1981): a node stands to the right of all
that it takes something from, and a line that passes a layer has a place there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from markupsafe import Markup

from pipeline.report.sentences import NONE
from pipeline.report.vega import as_image
from pipeline.report.view import Step

_WIDTH = 132
_BOX = 46
_ARTIFACT = 24
_LANE = 16  # what a line that passes through is given
_GAP_X = 48
_GAP_Y = 26
_MARGIN = 5
_SVG = '{http://www.w3.org/2000/svg}'
_SIGNS = {'executed': '●', 'cached': '○', 'failed': '✕', 'interrupted': '✕', 'skipped': NONE}


@dataclasses.dataclass
class _Place:
    """A slot of a layer: a node with what it made, or a line that passes."""

    step: Step | None
    layer: int
    x: float = 0.0
    y: float = 0.0
    sources: list[_Place] = dataclasses.field(default_factory=list)

    @property
    def height(self) -> float:
        return _LANE if self.step is None else _BOX + _ARTIFACT * len(self.step.outputs)

    @property
    def middle(self) -> float:
        return self.y + (_LANE / 2 if self.step is None else _BOX / 2)


def draw_graph(steps: Sequence[Step], name: str) -> Markup:
    """Draw the nodes of a run.

    Args:
        steps: In an order in which each comes after those it takes from.
        name: What the drawing is and says, for those who do not see it.

    Returns:
        An `svg` element.
    """
    makers = {artifact.id: step.id for step in steps for artifact in step.outputs}
    places: dict[str, _Place] = {}
    layers: list[list[_Place]] = []
    lines: list[tuple[Step, int, list[_Place]]] = []
    layer_of = _layers(steps, makers)
    for step in steps:
        given = [a for a in step.inputs if makers.get(a.id, step.id) in places]
        layer = layer_of[step.id]
        place = _Place(step, layer)
        places[step.id] = place
        while len(layers) <= layer:
            layers.append([])
        for artifact in given:
            before = places[makers[artifact.id]]
            path = [before]
            for between in range(before.layer + 1, layer):
                lane = _lane(layers[between], before, artifact.id)
                lane.sources = [path[-1]]
                path.append(lane)
            place.sources.append(path[-1])
            assert before.step is not None
            lines.append((before.step, artifact.id, [*path, place]))
        layers[layer].append(place)
    width, height = _lay_out(layers)
    root = ElementTree.Element(f'{_SVG}svg', width=f'{width:g}', height=f'{height:g}')
    for _, artifact_id, path in lines:
        _draw_line(root, artifact_id, path)
    for place in places.values():
        _draw_node(root, place)
    return as_image(root, name, kind='drawing')


def _layers(steps: Sequence[Step], makers: Mapping[int, str]) -> dict[str, int]:
    """Give each node a layer right of all that it takes from."""
    before = {
        step.id: {makers[a.id] for a in step.inputs if makers.get(a.id, step.id) != step.id}
        for step in steps
    }
    layers: dict[str, int] = {}
    for step in steps:
        if step.state == 'skipped':
            # Nothing is known of what it would have taken; it was to come after all others.
            layers[step.id] = 1 + max(layers.values(), default=-1)
            continue
        layers[step.id] = 1 + max((layers[other] for other in before[step.id]), default=-1)
    previous = 0
    for step in steps:
        takers = [layers[other] for other, given in before.items() if step.id in given]
        # What takes nothing stands just before what needs it first, if anything does.
        if step.state != 'skipped' and not before[step.id]:
            layers[step.id] = min(takers) - 1 if takers else previous
        previous = layers[step.id]
    return layers


class _Lane(_Place):
    """A place for a line that passes, shared by all that are given the same thing."""

    artifact_id: int = 0


def _lane(layer: list[_Place], before: _Place, artifact_id: int) -> _Place:
    for place in layer:
        if isinstance(place, _Lane) and place.artifact_id == artifact_id:
            return place
    lane = _Lane(None, before.layer)
    lane.artifact_id = artifact_id
    layer.append(lane)
    return lane


def _lay_out(layers: list[list[_Place]]) -> tuple[float, float]:
    """Give each place its coordinates, and return the size of the whole."""
    bottom = 0.0
    for index, layer in enumerate(layers):
        # Beside what they come from, so that lines cross little; lines go above nodes.
        layer.sort(key=lambda place: (place.step is not None, _mean_of_sources(place)))
        y = float(_MARGIN)
        for place in layer:
            place.x = _MARGIN + index * (_WIDTH + _GAP_X)
            place.y = y
            y += place.height + (_GAP_Y if place.step is not None else 4)
        bottom = max(bottom, y - _GAP_Y)
    return 2 * _MARGIN + len(layers) * (_WIDTH + _GAP_X) - _GAP_X, bottom + _MARGIN


def _mean_of_sources(place: _Place) -> float:
    if not place.sources:
        return 0.0
    return sum(source.middle for source in place.sources) / len(place.sources)


def _draw_line(root: ElementTree.Element, artifact_id: int, path: Sequence[_Place]) -> None:
    first = path[0]
    assert first.step is not None
    row = [artifact.id for artifact in first.step.outputs].index(artifact_id)
    x, y = first.x + _WIDTH, first.y + _BOX + _ARTIFACT * (row + 0.5)
    drawn = f'M{x:g},{y:g}'
    for place in path[1:]:
        half = (place.x + x) / 2
        drawn += f'C{half:g},{y:g} {half:g},{place.middle:g} {place.x:g},{place.middle:g}'
        x, y = place.x, place.middle
        if place.step is None:
            x += _WIDTH
            drawn += f'H{x:g}'
    ElementTree.SubElement(root, f'{_SVG}path', {'class': 'flow', 'd': drawn})


def _draw_node(root: ElementTree.Element, place: _Place) -> None:
    step = place.step
    assert step is not None
    group = ElementTree.SubElement(root, f'{_SVG}g', {'class': f'step {step.state}'})
    title = ElementTree.SubElement(group, f'{_SVG}title')
    title.text = f'{step.id}: {step.state}, {step.seconds:.1f} s' + (
        f'; {step.note}' if step.note else ''
    )
    box = {'x': f'{place.x:g}', 'y': f'{place.y:g}', 'width': f'{_WIDTH}', 'height': f'{_BOX}'}
    ElementTree.SubElement(group, f'{_SVG}rect', {**box, 'rx': '6', 'class': 'box'})
    _write(group, place.x + 10, place.y + 19, step.id, 'name')
    told = step.state if step.state != 'executed' else f'{step.seconds:.1f} s'
    _write(group, place.x + 10, place.y + 36, f'{_SIGNS[step.state]} {told}', 'state')
    for row, artifact in enumerate(step.outputs):
        y = place.y + _BOX + _ARTIFACT * row
        x = place.x + _WIDTH
        ElementTree.SubElement(
            group, f'{_SVG}circle', {'cx': f'{x:g}', 'cy': f'{y + _ARTIFACT / 2:g}', 'r': '3.5'}
        )
        _write(group, x - 10, y + 16, f'{artifact.key} {artifact.id}', 'artifact')


def _write(group: ElementTree.Element, x: float, y: float, text: str, kind: str) -> None:
    element = ElementTree.SubElement(
        group, f'{_SVG}text', {'x': f'{x:g}', 'y': f'{y:g}', 'class': kind}
    )
    element.text = text
