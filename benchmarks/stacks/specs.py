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
    """Return the differences of two compiled pipelines that are not the name of a version.

    Exactly three values may differ, each only as the versions say: `sdkVersion`,
    and the labels `tfx_version` and `tfx_py_version` of a job for Vertex AI.

    Args:
        one: What a stack compiles.
        other: What another compiles.
        versions: Of the one's Python and packages, by name.
        other_versions: The same of the other.
    """
    ours, theirs = named_versions(versions), named_versions(other_versions)
    return [
        found
        for found in differences(_parse(one), _parse(other))
        if found.path not in ours
        or (found.one, found.other) != (ours[found.path], theirs[found.path])
    ]


def named_versions(versions: Mapping[str, str]) -> dict[str, str]:
    """Return what a compiled pipeline says of versions, by path.

    A job for Vertex AI is an object around the specification; what Kubeflow
    takes is the specification itself.

    >>> named_versions({'tfx': '1.16.0', 'python': '3.10.13'})['0/labels/tfx_py_version']
    '3-10'
    """
    sdk = f'tfx-{versions["tfx"]}'
    return {
        '0/sdkVersion': sdk,
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


def _parse(text: str) -> Any:
    """Read one or more documents; JSON is YAML as well."""
    return list(yaml.safe_load_all(text))
