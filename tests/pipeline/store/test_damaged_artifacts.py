"""Files of real artifacts are damaged; the same run notices, and mends them."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Callable

import pytest

from components.common.errors import StoreError
from pipeline.store import artifacts, manifest
from tests.conftest import snapshot
from tests.pipeline.store.conftest import Workshop, executed, note_of

NODES_AFTER = {
    'ExampleGen': ['ExampleGen', 'StatisticsGen', 'ExampleValidator', 'Transform', 'Trainer'],
    'Trainer': ['Trainer'],
    'Evaluator': ['Evaluator'],
}


def delete(path: pathlib.Path) -> None:
    path.unlink()


def truncate(path: pathlib.Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: pathlib.Path) -> None:
    """Change one byte, and nothing that a listing of the folder would show."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    ('output', 'pattern', 'damage', 'told'),
    [
        ('ExampleGen/examples', 'Split-val/*.gz', delete, 'was deleted'),
        ('Trainer/model', '**/variables.data*', flip, 'was changed'),
        ('Evaluator/evaluation', 'metrics*', truncate, 'bytes, was written with'),
        ('Evaluator/blessing', 'BLESSED', delete, 'was deleted'),
    ],
)
def test_node_is_executed_again_when_what_is_cached_is_damaged(
    output: str,
    pattern: str,
    damage: Callable[[pathlib.Path], None],
    told: str,
    workshop: Workshop,
) -> None:
    (path,) = workshop.newest(output).glob(pattern)
    damage(path)
    outcome, error = workshop.run()
    assert error is None
    assert outcome.outcome == 'pushed'
    node = output.partition('/')[0]
    note = note_of(outcome, node)
    assert note.startswith(f'made again: {path.relative_to(workshop.config.pipeline_root)} ')
    assert told in note
    assert executed(outcome)[: len(NODES_AFTER[node])] == NODES_AFTER[node]
    assert executed(workshop.run()[0]) == []


def test_earlier_output_is_taken_when_the_newest_of_equal_origin_is_damaged(
    workshop: Workshop,
) -> None:
    workshop.run(again=['Trainer'])
    (path,) = workshop.newest('Trainer/model').glob('**/saved_model.pb')
    truncate(path)
    outcome, error = workshop.run()
    assert error is None
    note = note_of(outcome, 'Trainer')
    place = path.relative_to(workshop.config.pipeline_root)
    assert note.startswith(f'an earlier output is taken: {place} has ')
    assert 'bytes, was written with' in note
    assert 'Trainer' not in executed(outcome)


def test_file_and_command_are_named_when_a_node_fails_on_damaged_input(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it were so large that only its times and sizes are looked at.
    monkeypatch.setattr(manifest, '_COMPARED_BYTES', 0)
    (path,) = workshop.newest('ExampleGen/examples').glob('Split-train/*.gz')
    flip(path)
    _, error = workshop.run(again=['Transform'])
    assert isinstance(error, StoreError)
    assert str(error).startswith('Transform failed, as what it reads of ExampleGen is damaged: ')
    assert f'{path} was changed' in str(error)
    assert error.hint == 'the same command with --again ExampleGen makes it anew'
    mended, error = workshop.run(again=['ExampleGen'])  # what the hint says
    assert error is None
    assert mended.outcome == 'pushed'
    assert executed(mended)[:5] == NODES_AFTER['ExampleGen']
    assert 'made again' not in note_of(mended, 'ExampleGen')


class TestBaseline:
    """The model blessed last, when another one is the candidate."""

    @pytest.fixture
    def other(self, workshop: Workshop) -> Workshop:
        """The same root with another setting, of which there is no run yet."""
        trainer = workshop.config.trainer.model_copy(
            update={'min_ngram_documents': 3 + workshop.runs}
        )
        config = workshop.config.model_copy(update={'trainer': trainer})
        return Workshop(config, runs=1_000 * (workshop.runs + 1))

    def test_it_is_put_back_from_what_is_served_when_it_is_deleted(
        self, workshop: Workshop, other: Workshop
    ) -> None:
        workshop.run()
        folder = workshop.newest('Trainer/model')
        before = snapshot(folder)
        shutil.rmtree(folder)
        outcome, error = other.run()
        assert error is None
        note = note_of(outcome, 'BaselineResolver')
        assert note.startswith('put back from version ')
        assert f'{folder} was deleted' in note
        assert snapshot(folder) == before
        assert outcome.baseline is not None

    def test_nothing_is_pushed_when_it_is_damaged_and_served_no_more(
        self, workshop: Workshop, other: Workshop
    ) -> None:
        folder = other.newest('Trainer/model')
        (path,) = folder.glob('**/variables.data*')
        flip(path)
        shutil.rmtree(workshop.config.serving_path)
        outcome, error = other.run()
        assert isinstance(error, StoreError)
        assert f'{path} was changed' in str(error)
        assert error.hint == f'put it back, or rm -r {folder}: then the one before it counts'
        assert outcome.outcome == 'failed'
        assert not workshop.config.serving_path.exists()
        shutil.rmtree(folder)  # what the hint says
        outcome, error = other.run()
        assert error is None
        note = note_of(outcome, 'BaselineResolver')
        assert note.startswith(f'the model blessed last is lost: {folder} was deleted')


def test_damage_is_not_seen_when_an_older_version_kept_no_manifest(
    tmp_path: pathlib.Path,
) -> None:
    keeper = artifacts.ArtifactKeeper(tmp_path)

    class Stored:
        uri = str(tmp_path / 'artifacts' / 'x' / 'SchemaGen' / 'schema' / '7')

    pathlib.Path(Stored.uri).mkdir(parents=True)
    assert keeper.damage(Stored()) is None
    Stored.uri += '-gone'
    assert keeper.damage(Stored()) == f'{Stored.uri} was deleted'
