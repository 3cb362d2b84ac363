"""The programs that the benchmark compares, and their commands."""

from __future__ import annotations

import dataclasses
import pathlib
import sys

from benchmarks.archive import ROOT
from pipeline.settings.presets import OWN_PRESETS

# The references of the ratios in the table.
WALL_REFERENCE = 'keras-tutorial'
RATE_REFERENCE = 'sklearn-tfidf'


@dataclasses.dataclass(frozen=True)
class Contender:
    """A program that trains a model on the archive.

    Attributes:
        name: Name for `--only` and `--with`.
        title: Name in the table.
        module: Module of a peer in `benchmarks.peers`; `pipeline` for this pipeline.
        variant: Variant of the peer, or preset of this pipeline.
        seeded: Whether the model depends on the seed.
        on_request: Whether it runs only with `--with`.
        settings: Settings of this pipeline for `--set`.
    """

    name: str
    title: str
    module: str
    variant: str = ''
    seeded: bool = False
    on_request: bool = False
    settings: tuple[str, ...] = ()

    def command(self, archive: pathlib.Path, output: pathlib.Path, seed: int) -> list[str]:
        """Return the command that trains it and writes only to `output`."""
        if self.module == 'pipeline':
            command = pipeline_command(archive, output, self.variant, seed)
            return [*command, *(part for setting in self.settings for part in ('--set', setting))]
        command = [sys.executable, '-m', 'benchmarks.peers', self.module, str(archive), str(output)]
        return [*command, '--seed', str(seed), '--variant', self.variant]


def pipeline_command(
    data: pathlib.Path, root: pathlib.Path, preset: str, seed: int = 1
) -> list[str]:
    """Return the command that runs this pipeline on `data` with the pipeline root `root`."""
    runner = [sys.executable, str(ROOT / 'pipeline_runner.py'), 'run', '--json']
    settings = ['--preset', preset, '--set', f'trainer.seed={seed}']
    return [*runner, '--data', str(data), '--root', str(root), *settings]


_PRESETS = [
    Contender(f'ours-{preset}', f'this pipeline, preset {preset}', 'pipeline', preset, seeded=True)
    for preset in OWN_PRESETS
]
_STOCK = Contender(
    'ours-ngram-stock',
    "the same with TFX's own executors",
    'pipeline',
    'ngram',
    seeded=True,
    on_request=True,
    settings=('executors=stock',),
)
_TFIDF = 'scikit-learn, TF-IDF and logistic regression, defaults'
_PEERS = [
    Contender(
        WALL_REFERENCE, 'the tutorial as a plain Keras script', 'keras_tutorial', seeded=True
    ),
    Contender(RATE_REFERENCE, _TFIDF, 'sklearn_models'),
    Contender(
        'sklearn-tfidf-tuned', 'the same, min_df 2, sublinear, C 10', 'sklearn_models', 'tuned'
    ),
    Contender('nb-svm', 'scikit-learn, NB-SVM', 'sklearn_models', 'nb-svm'),
    Contender('fasttext', 'fastText, bigrams', 'fasttext_bigrams'),
    Contender('tfx-example', "TFX's own IMDB example", 'tfx_example', on_request=True),
]

# All contenders by name, in the order of the table.
CONTENDERS = {contender.name: contender for contender in (*_PRESETS, _STOCK, *_PEERS)}
