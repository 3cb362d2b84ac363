"""Reads YAML from untrusted files: plain values only, with limits on size and depth."""

from __future__ import annotations

from typing import Any

import yaml

_MAX_CHARACTERS = 1 << 20
_MAX_DEPTH = 50


def load_yaml(text: str) -> Any:
    """Return the value of a YAML text.

    >>> load_yaml('trainer: {seed: 5}')
    {'trainer': {'seed': 5}}

    Raises:
        ValueError: If the text is not YAML, or has tags, aliases, more than 50
            levels or more than a million characters.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f'more than {_MAX_CHARACTERS:,} characters')
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        where = f'line {mark.line + 1}, column {mark.column + 1}: ' if mark else ''
        raise ValueError(f'{where}{err.problem or err.context}') from err
    except yaml.YAMLError as err:
        raise ValueError(' '.join(str(err).split())) from err
    except (AttributeError, LookupError, OverflowError, TypeError) as err:
        # PyYAML does not catch these if a value does not have the type of its tag.
        raise ValueError(f'a value does not have the type of its tag: {err}') from err


class _Loader(yaml.SafeLoader):
    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node, without aliases and up to a maximum depth."""
        if self.check_event(yaml.AliasEvent):
            # Ten lines of aliases of aliases can have a billion values.
            raise self._refused('an alias; write the value out')
        if self._depth == _MAX_DEPTH:
            raise self._refused(f'more than {_MAX_DEPTH} levels')
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _refused(self, problem: str) -> yaml.MarkedYAMLError:
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
