"""A small pipeline that tests run in this process, damage, and run again."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import os
import pathlib
import shutil
from collections.abc import Collection

import pytest

from components.example_gen.sources import discover
from pipeline.local.runner import RunObserver, run_pipeline
from pipeline.results.outcome import NodeResult, RunOutcome
from pipeline.settings.config import PipelineConfig, load_config
from tests.conftest import SAMPLE, restore_folder
from tests.listening import watched

_ROWS = 500
# Settings of runs whose model is not what is tested: one of single words is trained and exported
# quickly, and bounds that it meets on so few rows.
QUICK = ('trainer.model.max_ngram=1', 'gate.min_accuracy=0.6', 'gate.max_accuracy_drop=0.3')
# A secret that must never be written.
CANARY = 'canary-77a0b2e4'


class SilentObserver:
    """Follows a run, and prints nothing."""

    def node_started(self, index: int, total: int, node_id: str) -> None:
        pass

    def node_finished(self, index: int, total: int, result: NodeResult) -> None:
        pass


@dataclasses.dataclass
class RunRoot:
    """A pipeline root, and the runs below it.

    Attributes:
        config: The settings of all runs.
        runs: The number of runs.
        first: The outcome of the first run.
        second: The outcome of the second run, if the fixture repeats the first.
        prefix: The run ids begin with it.
        observer: Follows the runs.
        listened_at: Addresses that this process listened at in the first run.
    """

    config: PipelineConfig
    runs: int = 0
    first: RunOutcome | None = None
    second: RunOutcome | None = None
    prefix: str = 'run'
    observer: RunObserver = dataclasses.field(default_factory=SilentObserver)
    listened_at: set[str] = dataclasses.field(default_factory=set)

    @property
    def root(self) -> pathlib.Path:
        return self.config.root_path

    def run(self, again: Collection[str] = ()) -> tuple[RunOutcome, BaseException | None]:
        self.runs += 1
        return run_pipeline(
            self.config,
            discover(self.config.data.path, self.config.data.columns),
            self.observer,
            run_id=f'{self.prefix}-{self.runs}',
            log='-',
            if_ended=lambda outcome: None,
            again=again,
        )

    def run_without_error(self, again: Collection[str] = ()) -> RunOutcome:
        outcome, error = self.run(again)
        assert error is None
        return outcome

    def newest(self, output: str) -> pathlib.Path:
        """Return the folder of a node's newest output, for example of `Trainer/model`."""
        folders = (self.config.pipeline_root / output).iterdir()
        return max(folders, key=lambda folder: int(folder.name))


def executed(outcome: RunOutcome) -> list[str]:
    """Return the ids of the nodes that a run did not take from the cache."""
    return [node.id for node in outcome.nodes if node.state != 'cached']


def note_of(outcome: RunOutcome, node_id: str) -> str:
    return next(node.note for node in outcome.nodes if node.id == node_id)


def small_table(path: pathlib.Path, rows: int = _ROWS) -> pathlib.Path:
    """Write the first rows of the sample to a table."""
    (sample,) = SAMPLE.glob('*.csv')
    with (
        open(sample, encoding='utf-8', newline='') as source,
        open(path, 'w', encoding='utf-8', newline='') as target,
    ):
        csv.writer(target).writerows(itertools.islice(csv.reader(source), rows + 1))
    return path


@pytest.fixture
def run_root(first_run: tuple[RunRoot, pathlib.Path]) -> RunRoot:
    """A root with a complete run that pushed its model, restored after other tests."""
    found, copy = first_run
    restore_folder(found.root, copy)
    return found


@pytest.fixture(scope='session')
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRoot, pathlib.Path]:
    """A root with a complete run, and a copy of its files."""
    home = tmp_path_factory.mktemp('store')
    config = load_config(
        preset='ngram',
        flags={'data.path': str(small_table(home / 'a.csv')), 'root': str(home / 'runs')},
        settings=QUICK,
    )
    found = RunRoot(config)
    with pytest.MonkeyPatch.context() as patch, watched(os.getpid()) as found.listened_at:
        patch.setenv('KFP_TOKEN', CANARY)
        found.first = found.run_without_error()
    assert found.first.outcome == 'pushed'
    return found, shutil.copytree(found.root, home / 'copy', symlinks=True)
