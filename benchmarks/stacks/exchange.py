"""The folder in which stacks leave what they made, for each other and for the judge.

FOLDER/tfx-1.16/ is what one stack has left:

- `stack.json`: what it is, and the digests of its code and data
- `runs/PRESET/`: the root of a run, whose outcome is `outcomes/PRESET.json`
- `models/PRESET/VERSION/`: what it pushed
- `compiled/TARGET-PRESET`: the pipeline for a service
- `of-tfx-1.21/`, for each stack, itself too: what it makes of what that one has
  left. `scores/PRESET.json` are by that one's model; `compiled/TARGET-PRESET` is
  what it compiles as if it had that one's versions.
"""

from __future__ import annotations

import importlib.metadata
import pathlib
from typing import Any, NamedTuple

from benchmarks.report import load
from components.common.errors import DataError
from pipeline.cloud.targets import Target
from pipeline.models.versions import live_version

_FACTS = 'stack.json'
_HINT = 'on each stack: python -m benchmarks stacks measure FOLDER'


def own_name() -> str:
    """Return what the stack that runs this is called: `tfx-`, and TFX's minor version."""
    major, minor, *_ = importlib.metadata.version('tfx').split('.')
    return f'tfx-{major}.{minor}'


class Answers(NamedTuple):
    """What a stack makes of what one has left.

    Attributes:
        folder: Where it is.
    """

    folder: pathlib.Path

    def scores(self, preset: str) -> pathlib.Path:
        """Return the file of scores by the model of a preset."""
        return self.folder / 'scores' / f'{preset}.json'

    def compiled(self, target: Target, preset: str) -> pathlib.Path:
        """Return the file of a compiled pipeline."""
        return self.folder / 'compiled' / f'{target}-{preset}'


class Left(NamedTuple):
    """What a stack has left.

    Attributes:
        folder: Where it is.
    """

    folder: pathlib.Path

    @property
    def name(self) -> str:
        """The stack."""
        return self.folder.name

    @property
    def facts_file(self) -> pathlib.Path:
        """What the stack is. It is written last: what has one is whole."""
        return self.folder / _FACTS

    def facts(self) -> dict[str, Any]:
        """Read what the stack is."""
        return load(self.facts_file)

    def root(self, preset: str) -> pathlib.Path:
        """Return the root of the run with a preset."""
        return self.folder / 'runs' / preset

    def models(self, preset: str) -> pathlib.Path:
        """Return the folder that the run with a preset pushes to."""
        return self.folder / 'models' / preset

    def model(self, preset: str) -> pathlib.Path:
        """Return the pushed model.

        Raises:
            DataError: There is none.
        """
        found = live_version(self.models(preset))
        if found is None:
            raise DataError(f'{self.name} has left no model of the preset {preset}', hint=_HINT)
        return found

    def outcome(self, preset: str) -> pathlib.Path:
        """Return the file of what the run with a preset said."""
        return self.folder / 'outcomes' / f'{preset}.json'

    def compiled(self, target: Target, preset: str) -> pathlib.Path:
        """Return the file of a compiled pipeline."""
        return self.folder / 'compiled' / f'{target}-{preset}'

    def of(self, other: str) -> Answers:
        """Return what this stack makes of what another has left."""
        return Answers(self.folder / f'of-{other}')


def own_place(folder: pathlib.Path) -> Left:
    """Return where the stack that runs this leaves what it makes."""
    return Left(folder / own_name())


def stacks_in(folder: pathlib.Path) -> list[Left]:
    """Return what stacks have left, if it is whole, by name.

    Raises:
        DataError: There is nothing.
    """
    found = [Left(path.parent) for path in sorted(folder.glob(f'tfx-*/{_FACTS}'))]
    if not found:
        raise DataError(f'no stack has left anything in {folder}', hint=_HINT)
    return found
