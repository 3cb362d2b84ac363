"""Tells where compiled pipelines of two stacks differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

_ABSENT = 'absent'


class Difference(NamedTuple):
    """Where two JSON values differ.

    Attributes:
        path: Keys and positions on the way there, with slashes between them.
        one: The value of one, `absent` if it has none.
        other: That of the other.
    """

    path: str
    one: Any
    other: Any


def unexplained(
    one: str, other: str, versions: Mapping[str, str], other_versions: Mapping[str, str]
) -> list[Difference]:
    """Return where two compiled pipelines differ, or do not name the versions that they should.

    Exactly three values name versions, and must name those of their stack: `sdkVersion`,
    and the labels `tfx_version` and `tfx_py_version` of a job for Vertex AI. All
    others must be equal.

    Args:
        one: What a stack compiles.
        other: What another compiles.
        versions: Of the one's Python and packages, by name.
        other_versions: The same of the other.
    """
    ours, theirs = _parse(one), _parse(other)
    is_job = _at(ours, '0/pipelineSpec') != _ABSENT
    named = named_versions(versions, is_job=is_job)
    named_by_other = named_versions(other_versions, is_job=is_job)
    found = [each for each in differences(ours, theirs) if each.path not in named]
    for path in named:
        values = _at(ours, path), _at(theirs, path)
        if values != (named[path], named_by_other[path]):
            found.append(Difference(path, *values))
    return found


def named_versions(versions: Mapping[str, str], *, is_job: bool) -> dict[str, str]:
    """Return what a compiled pipeline says of versions, by path.

    Args:
        versions: Of Python and packages, by name.
        is_job: Whether it is a job for Vertex AI, an object around the specification;
            what Kubeflow takes is the specification itself.

    >>> named_versions({'tfx': '1.16.0', 'python': '3.10.13'}, is_job=False)
    {'0/sdkVersion': 'tfx-1.16.0'}
    """
    sdk = f'tfx-{versions["tfx"]}'
    if not is_job:
        return {'0/sdkVersion': sdk}
    return {
        '0/pipelineSpec/sdkVersion': sdk,
        # A label has no dots.
        '0/labels/tfx_version': versions['tfx'].replace('.', '-'),
        '0/labels/tfx_py_version': '-'.join(versions['python'].split('.')[:2]),
    }


def differences(one: Any, other: Any, path: str = '') -> Iterator[Difference]:
    """Yield where two JSON values differ, as deep inside as that can be said.

    >>> [found.path for found in differences({'a': [1, 2]}, {'a': [1, 3], 'b': 0})]
    ['a/1', 'b']
    """
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            of_key = f'{path}/{key}'.lstrip('/')
            if key in one and key in other:
                yield from differences(one[key], other[key], of_key)
            else:
                yield Difference(of_key, one.get(key, _ABSENT), other.get(key, _ABSENT))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, values in enumerate(zip(one, other)):
            yield from differences(*values, f'{path}/{place}'.lstrip('/'))
    # 1, 1.0 and True are equal to Python, and not to who reads the file.
    elif type(one) is not type(other) or one != other:
        yield Difference(path, one, other)


def _parse(text: str) -> list[Any]:
    """Read one or more documents; JSON is YAML as well."""
    return list(yaml.safe_load_all(text))


def _at(documents: list[Any], path: str) -> Any:
    """Return the value at a path, from a document's position on, `absent` if there is none."""
    place, *keys = path.split('/')
    value: Any = dict(enumerate(documents)).get(int(place), _ABSENT)
    for key in keys:
        value = value.get(key, _ABSENT) if isinstance(value, dict) else _ABSENT
    return value
