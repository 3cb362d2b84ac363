"""Who is measured, and how each is started."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from typing import Literal

from benchmarks.archive import ROOT
from components.common.errors import ConfigError
from pipeline.settings.presets import PRESETS

Kind = Literal['saved_model', 'keras', 'sklearn', 'fasttext', 'tfx_example']

# What the ratios of the table refer to.
WALL_REFERENCE = 'keras-tutorial'
RATE_REFERENCE = 'sklearn-tfidf'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to get a model from the archive.

    Attributes:
        name: What `--only` and `--with` call it.
        title: What the table calls it.
        kind: How its model is loaded.
        module: The peer's program below `benchmarks.peers`; None for ourselves.
        options: Further arguments of it.
        preset: Ours; None for a peer.
        seeded: Whether another seed gives another model.
        on_request: Left out unless asked for.
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
        """Return the command that trains it and leaves everything below `output`."""
        if self.preset is None:
            module = f'benchmarks.peers.{self.module}'
            arguments = [*self.options, '--seed', str(seed), str(archive), str(output)]
            return [sys.executable, '-m', module, *arguments]
        return pipeline_command(archive, output, self.preset, seed)


def pipeline_command(
    data: pathlib.Path, root: pathlib.Path, preset: str, seed: int = 1
) -> list[str]:
    """Return the command that runs our pipeline on `data`, with all it writes below `root`."""
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
    """Return all contenders: our presets, then the peers."""
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
    """Pick contenders.

    Args:
        only: Names with commas between them; empty for all that are run by default.
        added: Names of those that are run only on request.

    Raises:
        ConfigError: A name is not known.
    """
    known = {contender.name: contender for contender in all_contenders()}
    wanted, extra = (
        [name.strip() for name in names.split(',') if name.strip()] for names in (only, added)
    )
    for name in (*wanted, *extra):
        if name not in known:
            raise ConfigError(
                f'no contender is called {name!r}', hint=f'they are {", ".join(known)}'
            )
    if not wanted:
        wanted = [name for name, contender in known.items() if not contender.on_request]
    return [contender for name, contender in known.items() if name in (*wanted, *extra)]
