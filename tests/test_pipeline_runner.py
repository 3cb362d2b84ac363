"""The whole command line, end to end, as a person or a script uses it."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from tensorflow.core.protobuf import saved_model_pb2

from tests.conftest import REPO, SAMPLE, Finished, run_command, snapshot

NODES = (
    'ExampleGen',
    'SchemaGen',
    'StatisticsGen',
    'ExampleValidator',
    'Transform',
    'Trainer',
    'BaselineResolver',
    'Evaluator',
    'Pusher',
)
METRICS = {
    'binary_accuracy',
    'loss',
    'auc',
    'precision',
    'recall',
    'calibration',
    'expected_calibration_error',
    'example_count',
}


def from_node(node: str) -> dict[str, str]:
    """States of a run that reuses all before `node`."""
    index = NODES.index(node)
    return {n: 'cached' if i < index else 'executed' for i, n in enumerate(NODES)}


def run_sample(*args: str, cwd: pathlib.Path, repo: pathlib.Path) -> Finished:
    """Run the pipeline on the sample data."""
    return run_command('run', '--data', str(SAMPLE), *args, cwd=cwd, repo=repo)


@pytest.fixture(scope='module')
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An empty folder that the commands are typed in."""
    return tmp_path_factory.mktemp('home')


@pytest.fixture(scope='module')
def repo(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A copy of the checkout, whose code may be edited."""
    copy = tmp_path_factory.mktemp('checkout') / 'repo'
    ignore = shutil.ignore_patterns('.*', 'runs', '__pycache__', 'tests', 'requirements')
    return shutil.copytree(REPO, copy, ignore=ignore)


@pytest.fixture(scope='module')
def first(home: pathlib.Path, repo: pathlib.Path) -> Finished:
    """The first run there, on the sample data."""
    return run_sample('--json', cwd=home, repo=repo)


@pytest.fixture
def serving(home: pathlib.Path, first: Finished) -> pathlib.Path:
    """The folder of versions, after the first run."""
    assert first.code == 0, first.err
    return home / 'runs' / 'serving' / 'sentiment'


class TestFirstRun:
    def test_model_is_pushed_when_it_is_good_enough(
        self, first: Finished, home: pathlib.Path
    ) -> None:
        assert first.code == 0, first.err
        outcome = first.json
        assert outcome['outcome'] == 'pushed'
        assert first.states() == dict.fromkeys(NODES, 'executed')
        assert all(node['seconds'] >= 0 for node in outcome['nodes'])
        assert set(outcome['metrics']) == METRICS
        assert outcome['metrics']['binary_accuracy'] >= 0.8
        assert outcome['baseline'] is None
        checks = {check['metric']: check['passed'] for check in outcome['thresholds']}
        assert checks == {'binary_accuracy': True, 'auc': True}
        version = pathlib.Path(outcome['pushed']['path'])
        assert version.name == outcome['pushed']['version']
        assert (version / 'saved_model.pb').is_file()
        card = (version / 'assets.extra' / 'model_card.md').read_text(encoding='utf-8')
        assert f'| accuracy | {outcome["metrics"]["binary_accuracy"]:.4f} | >= 0.8000 |' in card
        assert all(
            f'| {name.removeprefix("length=")} | {found["example_count"]:,.0f} | '
            f'{found["binary_accuracy"]:.4f} |' in card
            for name, found in outcome['slices'].items()
        )
        assert (home / outcome['log']).stat().st_size > 0

    def test_all_that_is_written_lies_under_the_root_when_run(
        self, first: Finished, home: pathlib.Path
    ) -> None:
        assert [path.name for path in home.iterdir()] == ['runs']

    def test_a_line_per_node_goes_to_stderr_when_run(self, first: Finished) -> None:
        assert 'preset ngram' in first.err
        assert '1/9  ExampleGen' in first.err
        assert 'train 2,905, val 324, test 771' in first.err
        assert 'val accuracy 0.9' in first.err
        assert 'no baseline' in first.err
        assert 'tensorflow/' not in first.err  # the frameworks' own lines stay in the log

    def test_slices_add_up_when_sliced_by_length(self, first: Finished) -> None:
        outcome = first.json
        counts = [metrics['example_count'] for metrics in outcome['slices'].values()]
        assert sum(counts) == outcome['metrics']['example_count'] == 771

    def test_readme_opens_statistics_and_evaluation_when_run(
        self, first: Finished, home: pathlib.Path
    ) -> None:
        readme = (REPO / 'README.md').read_text(encoding='utf-8')
        (code,) = re.findall(r'```python\n(import pathlib\n.*?)```', readme, re.DOTALL)
        done = subprocess.run(
            [sys.executable, '-c', code], cwd=home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        examples, accuracy, blessed = done.stdout.splitlines()
        assert examples == '771'
        assert str(first.json['metrics']['binary_accuracy']) in accuracy
        assert blessed == 'True'


class TestAfterwards:
    def test_everything_is_cached_when_nothing_changed(
        self, first: Finished, home: pathlib.Path, repo: pathlib.Path
    ) -> None:
        again = run_sample('--json', cwd=home, repo=repo)
        assert again.code == 0, again.err
        assert again.states() == dict.fromkeys(NODES, 'cached')
        assert again.json['pushed'] == first.json['pushed']
        assert again.json['metrics'] == first.json['metrics']

    def test_nothing_is_pushed_when_the_bound_is_out_of_reach(
        self, home: pathlib.Path, repo: pathlib.Path, serving: pathlib.Path
    ) -> None:
        before = snapshot(serving)
        done = run_sample('--set', 'gate.min_accuracy=0.99', cwd=home, repo=repo)
        assert done.code == 3
        assert snapshot(serving) == before
        assert 'NOT BLESSED' in done.out
        assert '>= 0.9900' in done.out
        assert 'expected >= 0.9900' in done.err
        assert done.err.count('cached') == 7  # all but the Evaluator and the Pusher

    def test_worse_model_is_held_back_when_there_is_a_baseline(
        self, first: Finished, home: pathlib.Path, repo: pathlib.Path, serving: pathlib.Path
    ) -> None:
        before = snapshot(serving)
        worse = ('--set', 'trainer.min_ngram_documents=1000')
        low = ('--set', 'gate.min_accuracy=0.4', '--set', 'gate.min_auc=0.51')
        done = run_sample('--json', *worse, *low, cwd=home, repo=repo)
        assert done.code == 3, done.err
        assert snapshot(serving) == before
        assert done.states() == from_node('Trainer')
        outcome = done.json
        assert outcome['outcome'] == 'not_blessed'
        assert outcome['pushed'] is None
        assert outcome['baseline']['binary_accuracy'] == pytest.approx(
            first.json['metrics']['binary_accuracy']
        )
        assert [(check['metric'], check['passed']) for check in outcome['thresholds']] == [
            ('binary_accuracy', True),
            ('binary_accuracy', False),
            ('auc', True),
            ('baseline_auc', True),
        ]

    def test_run_stops_before_training_when_the_data_is_anomalous(
        self, home: pathlib.Path, repo: pathlib.Path, serving: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        before = snapshot(serving)
        schema = (REPO / 'components' / 'schema' / 'reviews.pbtxt').read_text()
        strict = tmp_path / 'strict.pbtxt'
        strict.write_text(schema.replace('min_examples_count: 20', 'min_examples_count: 700'))
        done = run_sample('--json', '--set', f'data.schema_file={strict}', cwd=home, repo=repo)
        assert done.code == 4
        assert done.json['outcome'] == 'failed'
        assert done.states()['ExampleValidator'] == 'failed'
        assert done.states()['Trainer'] == 'skipped'
        assert 'val: ' in done.err
        assert '324' in done.err
        assert snapshot(serving) == before

    def test_transform_and_all_after_run_when_the_text_code_is_edited(
        self, first: Finished, home: pathlib.Path, repo: pathlib.Path, serving: pathlib.Path
    ) -> None:
        text = repo / 'components' / 'transform' / 'text.py'
        original = text.read_text()
        text.write_text(original + '\n# edited\n')
        try:
            done = run_sample('--json', cwd=home, repo=repo)
        finally:
            text.write_text(original)
        assert done.code == 0, done.err
        assert done.states() == from_node('Transform')
        # Only a comment was added, so the same model came out of it.
        assert done.json['metrics'] == pytest.approx(first.json['metrics'])
        assert done.json['baseline']['loss'] == pytest.approx(first.json['metrics']['loss'])

    def test_model_is_pushed_again_when_what_is_served_was_removed(
        self, home: pathlib.Path, repo: pathlib.Path, serving: pathlib.Path
    ) -> None:
        shutil.rmtree(serving)
        done = run_sample('--json', cwd=home, repo=repo)
        assert done.code == 0, done.err
        assert done.states()['Trainer'] == 'cached'
        assert done.states()['Pusher'] == 'executed'
        assert pathlib.Path(done.json['pushed']['path']).is_dir()

    def test_run_resumes_when_terminated(
        self, home: pathlib.Path, repo: pathlib.Path, serving: pathlib.Path
    ) -> None:
        chosen = ('--preset', 'tutorial', '--set', 'text.vocab_size=3000')
        runner = str(repo / 'pipeline_runner.py')
        process = subprocess.Popen(
            [sys.executable, runner, 'run', '--data', str(SAMPLE), *chosen],
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if 'epoch 1/10' in line:
                    process.send_signal(signal.SIGTERM)
                    break
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 143
        assert err.splitlines()[-1].startswith('terminated; the same command resumes with what is')
        done = run_sample('--json', *chosen, cwd=home, repo=repo)
        assert done.code in (0, 3), done.err
        assert done.states() == from_node('Trainer')
        assert 'train 2,548, val 681, test 771' in done.err  # a preset says how much is for val
        for epoch in range(1, 11):
            assert f'epoch {epoch}/10: val accuracy' in done.err


class TestPredict:
    def test_scores_when_given_arguments(self, home: pathlib.Path, serving: pathlib.Path) -> None:
        texts = ('A wonderful film. I loved it.', 'A dull and boring mess. I hated it.')
        done = run_command('predict', *texts, cwd=home)
        assert done.code == 0, done.err
        labels = [line.split('\t')[0] for line in done.out.splitlines()]
        assert labels == ['positive', 'negative']

    def test_same_scores_when_texts_come_by_stdin_or_file(
        self, home: pathlib.Path, serving: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        table = tmp_path / 'texts.csv'
        table.write_text('id,text\n1,"A fine, moving film"\n2,Awful\n')
        lines = 'A fine, moving film\nAwful\n'
        by_stdin = run_command('predict', '--json', cwd=home, stdin=lines)
        by_file = run_command('predict', '--json', '--input', str(table), cwd=home)
        assert by_stdin.code == 0, by_stdin.err
        assert by_stdin.out == by_file.out
        assert len(by_file.out.splitlines()) == 2

    def test_pushed_folder_scores_when_all_else_is_gone(
        self, serving: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        moved = shutil.copytree(serving, tmp_path / 'elsewhere')
        done = run_command('predict', 'Lovely', '--serving-dir', str(moved), cwd=tmp_path)
        assert done.code == 0, done.err

    def test_what_moved_the_score_is_shown_when_asked_for(
        self, home: pathlib.Path, serving: pathlib.Path
    ) -> None:
        text = 'A wonderful film. I loved it, [b]all[/b] of it.'
        done = run_command('predict', '--explain', text, cwd=home)
        assert done.code == 0, done.err
        assert text in done.out
        assert re.search(r'\+[0-9.]+ +i loved', done.out)
        assert 'a text without a word' in done.out
        (line,) = run_command(
            'predict', '--explain', '--json', text, cwd=home
        ).out.splitlines()
        found = json.loads(line)
        logit = found['bias'] + sum(part['contribution'] for part in found['contributions'])
        assert 1 / (1 + math.exp(-logit)) == pytest.approx(found['probability'], abs=1e-4)
        assert 'i loved' in [part['ngram'] for part in found['contributions'][:5]]

    def test_it_says_so_when_the_model_cannot_explain(
        self, serving: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        old = shutil.copytree(serving, tmp_path / 'serving')
        (version,) = old.iterdir()
        saved = saved_model_pb2.SavedModel.FromString((version / 'saved_model.pb').read_bytes())
        objects = saved.meta_graphs[0].object_graph_def
        (signatures,) = (
            objects.nodes[child.node_id]
            for child in objects.nodes[0].children
            if child.local_name == 'signatures'
        )
        kept = [c for c in signatures.children if c.local_name != 'explain_text']
        del signatures.children[:]
        signatures.children.extend(kept)
        del saved.meta_graphs[0].signature_def['explain_text']
        (version / 'saved_model.pb').write_bytes(saved.SerializeToString())
        where = ('--serving-dir', str(old))
        done = run_command('predict', '--explain', 'Fine.', *where, cwd=tmp_path)
        assert done.code == 4
        assert "has no signature 'explain_text': an older version" in done.err
        assert done.out == ''
        assert run_command('predict', 'Fine.', *where, cwd=tmp_path).code == 0

    def test_columns_stay_and_scores_are_added_when_a_table_is_scored(
        self, home: pathlib.Path, serving: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        table = tmp_path / 'in.csv'
        with open(table, 'w', newline='', encoding='utf-8') as file:
            rows = csv.writer(file, lineterminator='\n')
            rows.writerow(['n', 'text', 'x'])
            for number in range(2_500):
                word, verb = (('wonderful', 'loved'), ('dull', 'hated'))[number % 2]
                text = f'"A {word},\n{word} film", she said. I {verb} it.'
                rows.writerow([f'{number:05}', text, '1.50'])
            rows.writerow(['', ' ', ''])
        for name in ('out.csv', 'out.jsonl.gz'):
            done = run_command(
                'predict', '--input', str(table), '--output', str(tmp_path / name), cwd=home
            )
            assert done.code == 0, done.err
            assert done.out == ''
            assert f'{name}: 2,501 rows in ' in done.err
            assert '1 without a text' in done.err
        before = table.read_text(encoding='utf-8')
        scored = (tmp_path / 'out.csv').read_text(encoding='utf-8')
        added = r',(label,probability|(positive|negative)?,[0-9e.-]*)\n'
        assert re.sub(added, '\n', scored) == before
        labels = [row['label'] for row in csv.DictReader(io.StringIO(scored, newline=''))]
        assert labels == ['positive', 'negative'] * 1_250 + ['']
        lines = gzip.decompress((tmp_path / 'out.jsonl.gz').read_bytes()).decode().splitlines()
        assert [json.loads(line)['label'] for line in lines[:-1]] == labels[:-1]
        assert json.loads(lines[2_400])['n'] == '02400'
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            'in.csv',
            'out.csv',
            'out.jsonl.gz',
        ]

    @pytest.mark.parametrize(
        ('args', 'code', 'message'),
        [
            (('in.csv', '--output', 'in.csv'), 2, 'is the input itself'),
            (('in.csv', '--output', 'link.csv'), 2, 'is the input itself'),
            (('in.csv', '--output', 'out.txt'), 2, 'cannot tell the format'),
            (('in.csv', '--output', 'out.csv', '--explain'), 2, '--explain is printed'),
            (('in.csv', '--output', 'out.csv', '--label-column', 'n'), 2, "column 'n' is there"),
            (('none.csv', '--output', 'out.csv'), 4, 'cannot read none.csv'),
            (('bad.csv', '--output', 'out.csv'), 4, 'bad.csv:1502: expected 2 fields'),
            (('in.csv', '--output', 'out.csv', '--text-column', 'x'), 4, "no column 'x'"),
            (('a.jsonl', '--output', 'out.csv'), 4, 'none of the first 1 rows has a text'),
            (('in.csv', '--output', 'none/out.csv'), 4, 'cannot write '),
        ],
    )
    def test_nothing_is_written_when_a_table_cannot_be_scored(
        self,
        args: tuple[str, ...],
        code: int,
        message: str,
        serving: pathlib.Path,
        tmp_path: pathlib.Path,
    ) -> None:
        (tmp_path / 'in.csv').write_text('text,n\nfine,1\n')
        (tmp_path / 'bad.csv').write_text('text,n\n' + 'fine,1\n' * 1_500 + 'bad\n')
        (tmp_path / 'a.jsonl').write_text('{"review": "fine"}\n')
        (tmp_path / 'link.csv').symlink_to('in.csv')
        before = snapshot(tmp_path)
        done = run_command('predict', '--serving-dir', str(serving), '--input', *args, cwd=tmp_path)
        assert done.code == code
        assert message in done.err
        assert 'Traceback' not in done.err
        assert snapshot(tmp_path) == before

    def test_nothing_is_left_when_scoring_is_terminated(
        self, serving: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        table = tmp_path / 'in.csv'
        table.write_text('text\n' + ('a wonderful and long film ' * 40 + '\n') * 60_000)
        runner = str(REPO / 'pipeline_runner.py')
        where = ('--serving-dir', str(serving), '--input', 'in.csv', '--output', 'out.csv')
        process = subprocess.Popen(
            [sys.executable, runner, 'predict', *where],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            while process.poll() is None and not list(tmp_path.glob('.out.csv.*.part')):
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 143
        assert 'terminated; out.csv was not written' in err
        assert list(tmp_path.iterdir()) == [table]

    def test_it_says_so_when_nothing_was_pushed(self, tmp_path: pathlib.Path) -> None:
        done = run_command('predict', 'Lovely', cwd=tmp_path)
        assert done.code == 4
        assert 'no model was pushed' in done.err


class TestListings:
    def test_runs_are_listed_when_some_were_made(self, home: pathlib.Path, first: Finished) -> None:
        done = run_command('runs', cwd=home)
        assert done.code == 0
        assert first.json['run_id'] in done.out
        listed = run_command('runs', '--json', cwd=home).json
        assert listed[0]['run_id'] == first.json['run_id']

    def test_one_model_is_live_when_listed(self, home: pathlib.Path, serving: pathlib.Path) -> None:
        listed = run_command('models', '--json', cwd=home).json
        assert sum(model['live'] for model in listed) == 1
        assert 'live' in run_command('models', cwd=home).out


class TestTensorboard:
    def test_curves_are_served_until_it_is_interrupted_when_models_were_trained(
        self, first: Finished, home: pathlib.Path
    ) -> None:
        run_id = first.json['run_id']
        process = subprocess.Popen(
            [sys.executable, str(REPO / 'pipeline_runner.py'), 'tensorboard', '--port', '0'],
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            (url,) = re.findall(r'http://127\.0\.0\.1:\d+/', process.stdout.readline())
            logged = f'{run_id} ngram/validation'
            deadline = time.monotonic() + 60
            while logged not in fetch(f'{url}data/runs') and time.monotonic() < deadline:
                time.sleep(0.5)
            assert {f'{run_id} ngram/train', logged} <= set(fetch(f'{url}data/runs'))
            query = urllib.parse.urlencode({'run': logged, 'tag': 'epoch_binary_accuracy'})
            ((_, step, accuracy),) = fetch(f'{url}data/plugin/scalars/scalars?{query}')
            assert step == 0
            assert f'val accuracy {accuracy:.4f}' in first.err
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
        assert process.returncode == 0
        assert out == ''
        assert f'{run_id} ngram' in err
        assert 'Traceback' not in err


def fetch(url: str) -> Any:
    """Return what an address answers as JSON."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


class TestBadInput:
    @pytest.mark.parametrize(
        ('args', 'code', 'message'),
        [
            (('run',), 2, 'data.path is required'),
            (('run', '--data', 'none.csv'), 4, 'no such file or folder'),
            (('run', '--data', 'empty.csv'), 4, 'the file is empty'),
            (('run', '--data', 'a.csv', '--text-column', 'body'), 4, "no column 'body'"),
            (('run', '--data', 'a.xlsx'), 4, 'cannot tell the format'),
            (('run', '--data', 'b-{SPAN}.csv'), 4, 'no file matches b-{SPAN}.csv in '),
            (('run', '--data', '{SPAN}-{DD}.csv'), 4, '{SPAN} and {DD} both name the span'),
            (('run', '--data', 'a.csv', '--spans', '2'), 2, 'a.csv names no spans'),
            (('run', '--data', '{SPAN}.csv', '--spans', '0'), 2, 'data.spans: '),
            (('run', '--data', 'a.csv', '--preset', 'best'), 2, "no preset is called 'best'"),
            (('run', '--data', 'a.csv', '--set', 'trainer.epoch=1'), 2, 'trainer.epochs?'),
            (('run', '--data', 'a.csv', '--set', 'gate.min_accuracy=2'), 2, 'got 2'),
            (('run', '--data', 'a.csv', '--root', 'a.csv/x'), 2, 'cannot write to the root'),
            (('run', '--nonsense'), 2, 'No such option'),
            (('predict', 'x', '--input', 'a.csv'), 2, 'got both'),
            (('runs',), 4, 'no run below'),
            (('tensorboard',), 4, 'has trained a model'),
            (('tensorboard', '--port', '70000'), 2, '70000'),
        ],
    )
    def test_one_line_and_the_exit_code_when_input_is_bad(
        self, args: tuple[str, ...], code: int, message: str, tmp_path: pathlib.Path
    ) -> None:
        (tmp_path / 'empty.csv').touch()
        (tmp_path / 'a.csv').write_text('text,label\nfine,1\n')
        (tmp_path / 'a.xlsx').write_text('x')
        before = sorted(tmp_path.iterdir())
        done = run_command(*args, cwd=tmp_path)
        assert done.code == code
        assert message in done.err
        assert 'Traceback' not in done.err
        assert done.out == ''
        assert sorted(tmp_path.iterdir()) == before

    def test_json_says_failed_when_the_data_is_missing(self, tmp_path: pathlib.Path) -> None:
        done = run_command('run', '--data', 'none.csv', '--json', cwd=tmp_path)
        assert done.code == 4
        assert done.json['outcome'] == 'failed'
        assert 'no such file' in done.json['error']

    def test_nothing_is_trained_when_a_third_label_appears(self, tmp_path: pathlib.Path) -> None:
        rows = ''.join(f'text {i},{("good", "bad", "odd")[i % 3]}\n' for i in range(90))
        (tmp_path / 'a.csv').write_text('text,label\n' + rows)
        command = ('run', '--data', 'a.csv', '--positive-label', 'good', '--json')
        done = run_command(*command, cwd=tmp_path)
        assert done.code == 4
        assert 'expected two label values, got 3' in done.err
        assert done.states() == {n: 'failed' if n == 'ExampleGen' else 'skipped' for n in NODES}
        assert not (tmp_path / 'runs' / 'serving').exists()
        assert not list((tmp_path / 'runs' / 'artifacts').rglob('*.gz'))


@pytest.fixture
def tiny_disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A disk of 2 MiB."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('mounting a small disk needs root')
    yield disk
    subprocess.run(['umount', str(disk)], check=True)


class TestDisk:
    def test_one_line_when_the_disk_is_full(self, tiny_disk: pathlib.Path) -> None:
        done = run_command('run', '--data', str(SAMPLE), cwd=tiny_disk)
        assert done.code == 5
        assert 'no space left on the disk' in done.err
        assert 'Traceback' not in done.err
        assert not (tiny_disk / 'runs' / 'serving').exists()

    def test_one_line_when_the_disk_is_read_only(self, tiny_disk: pathlib.Path) -> None:
        subprocess.run(['mount', '-o', 'remount,ro', str(tiny_disk)], check=True)
        root = str(tiny_disk / 'runs')
        done = run_command('run', '--data', str(SAMPLE), '--root', root, cwd=tiny_disk)
        assert done.code == 2
        assert 'cannot write to the root' in done.err
        assert 'Read-only file system' in done.err


class TestStart:
    def test_nothing_heavy_is_imported_when_help_is_asked_for(self, tmp_path: pathlib.Path) -> None:
        done = subprocess.run(
            [sys.executable, '-X', 'importtime', str(REPO / 'pipeline_runner.py'), '--help'],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        imported = {line.split('|')[-1].strip() for line in done.stderr.splitlines()}
        assert 'click' in imported
        assert not imported & {'tensorflow', 'tfx', 'apache_beam', 'pydantic', 'rich', 'numpy'}

    def test_it_says_what_to_do_when_nothing_is_installed(self, tmp_path: pathlib.Path) -> None:
        done = subprocess.run(
            [sys.executable, '-S', str(REPO / 'pipeline_runner.py'), 'runs'],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={k: v for k, v in os.environ.items() if k != 'PYTHONPATH'},
        )
        assert done.returncode == 6
        assert 'make setup' in done.stderr
