"""Reads YAML that someone else may have written."""

from __future__ import annotations

from typing import Any

import yaml

_MOST_CHARACTERS = 1 << 20
# All settings are some sixty.
_MOST_VALUES = 10_000


def parse_yaml(text: str) -> Any:
    """Return the plain values of a YAML document: nothing in it is executed.

    An alias stands for all that its anchor holds, so a few lines can mean more
    values than fit into memory. Those it means are counted first.

    Raises:
        ValueError: If it is no YAML, too long, too deep, or means too many
            values; the message is one line.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f'expected at most {_MOST_CHARACTERS:,} characters, got {len(text):,}')
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        count = _count(node, {})
        if count > _MOST_VALUES:
            raise ValueError(
                f'expected at most {_MOST_VALUES:,} values, got {_shown(count)} with its aliases'
            )
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as err:
        # Without the line itself, which may have a secret in it.
        line = f', line {err.problem_mark.line + 1}' if err.problem_mark else ''
        told = ', '.join(part for part in (err.context, err.problem) if part)
        raise ValueError(f'{told}{line}') from err
    except yaml.YAMLError as err:
        raise ValueError(' '.join(str(err).split())) from err
    except RecursionError as err:
        raise ValueError('it is nested too deeply') from err


def _count(node: Any, known: dict[int, int]) -> int:
    """Count the values that a node stands for, each alias as all that it repeats."""
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError('an alias stands for what it is part of')
        return known[id(node)]
    known[id(node)] = 0  # being counted
    total = 1
    if isinstance(node, yaml.MappingNode):
        total += sum(_count(part, known) for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        total += sum(_count(part, known) for part in node.value)
    known[id(node)] = total
    return total


def _shown(count: int) -> str:
    return f'{count:,}' if count < 10**12 else 'more than 10^12'
