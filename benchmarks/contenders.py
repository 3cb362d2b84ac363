"""The programs that the benchmark compares, and their commands."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from typing import Literal

from benchmarks.archive import ROOT
from components.common.errors import ConfigError
from pipeline.settings.presets import PRESETS

Kind = Literal['saved_model', 'keras', 'sklearn', 'fasttext', 'tfx_example']

# The references of the ratios in the table.
WALL_REFERENCE = 'keras-tutorial'
RATE_REFERENCE = 'sklearn-tfidf'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contender:
    """A program that trains a model on the archive.

    Attributes:
        name: Name for `--only` and `--with`.
        title: Name in the table.
        kind: Format of its model.
        module: Module of a peer in `benchmarks.peers`; None for this pipeline.
        options: Further arguments of the module.
        preset: Preset of this pipeline; None for a peer.
        seeded: Whether the model depends on the seed.
        on_request: Whether it runs only with `--with`.
    """

    name: str
    title: str
    kind: Kind
    module: str | None = None
    options: tuple[str, ...] = ()
    preset: str | None = None
    seeded: bool = False
    on_request: bool = False

    def command(self, archive: pathlib.Path, output: pathlib.Path, seed: int) -> list[str]:
        """Return the command that trains it and writes only to `output`."""
        if self.preset is None:
            module = f'benchmarks.peers.{self.module}'
            arguments = [*self.options, '--seed', str(seed), str(archive), str(output)]
            return [sys.executable, '-m', module, *arguments]
        return pipeline_command(archive, output, self.preset, seed)


def pipeline_command(
    data: pathlib.Path, root: pathlib.Path, preset: str, seed: int = 1
) -> list[str]:
    """Return the command that runs this pipeline on `data` with the pipeline root `root`."""
    runner = [sys.executable, str(ROOT / 'pipeline_runner.py'), 'run', '--json']
    settings = ['--preset', preset, '--set', f'trainer.seed={seed}']
    return [*runner, '--data', str(data), '--root', str(root), *settings]


_PEERS = (
    Contender(
        name=WALL_REFERENCE,
        title='the tutorial as a plain Keras script',
        kind='keras',
        module='keras_tutorial',
        seeded=True,
    ),
    Contender(
        name=RATE_REFERENCE,
        title='scikit-learn, TF-IDF and logistic regression, defaults',
        kind='sklearn',
        module='sklearn_tfidf',
    ),
    Contender(
        name='sklearn-tfidf-tuned',
        title='the same, min_df 2, sublinear, C 10',
        kind='sklearn',
        module='sklearn_tfidf',
        options=('--tuned',),
    ),
    Contender(name='nb-svm', title='scikit-learn, NB-SVM', kind='sklearn', module='nb_svm'),
    Contender(
        name='fasttext', title='fastText, bigrams', kind='fasttext', module='fasttext_bigrams'
    ),
    Contender(
        name='tfx-example',
        title="TFX's own IMDB example",
        kind='tfx_example',
        module='tfx_example',
        on_request=True,
    ),
)


def all_contenders() -> tuple[Contender, ...]:
    """Return all contenders: the presets, then the peers."""
    ours = (
        Contender(
            name=f'ours-{preset}',
            title=f'this pipeline, preset {preset}',
            kind='saved_model',
            preset=preset,
            seeded=True,
        )
        for preset in PRESETS
    )
    return (*ours, *_PEERS)


def select(only: str = '', added: str = '') -> list[Contender]:
    """Select contenders by name.

    Args:
        only: Comma-separated names; empty for the default ones.
        added: Comma-separated names of further contenders.

    Raises:
        ConfigError: A name is unknown.
    """
    known = {contender.name: contender for contender in all_contenders()}
    wanted, extra = (
        [name.strip() for name in names.split(',') if name.strip()] for names in (only, added)
    )
    for name in (*wanted, *extra):
        if name not in known:
            raise ConfigError(f'unknown contender {name!r}', hint=f'choose from {", ".join(known)}')
    if not wanted:
        wanted = [name for name, contender in known.items() if not contender.on_request]
    return [contender for name, contender in known.items() if name in (*wanted, *extra)]
