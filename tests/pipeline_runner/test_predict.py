"""The command `predict`, with the model that a run pushed."""

from __future__ import annotations

import csv
import functools
import gzip
import io
import json
import math
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import pipeline_runner
from tests.conftest import REPO, call_command, snapshot


def test_scores_are_the_same_when_texts_come_from_arguments_stdin_or_a_file(
    home: pathlib.Path, serving: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    texts = ('A wonderful film, I loved it', 'A dull and boring mess. I hated it.')
    table = tmp_path / 'texts.csv'
    table.write_text(f'id,text\n1,"{texts[0]}"\n2,{texts[1]}\n')
    by_arguments = call_command('predict', *texts, cwd=home)
    assert by_arguments.code == 0, by_arguments.err
    labels = [line.split('\t')[0] for line in by_arguments.out.splitlines()]
    assert labels == ['positive', 'negative']
    by_stdin = call_command('predict', '--json', cwd=home, stdin='\n'.join(texts))
    by_file = call_command('predict', '--json', '--input', str(table), cwd=home)
    assert by_stdin.code == 0, by_stdin.err
    assert by_stdin.out == by_file.out
    assert [json.loads(line)['label'] for line in by_file.out.splitlines()] == labels


def test_contributions_are_shown_when_explain_is_passed(
    home: pathlib.Path, serving: pathlib.Path
) -> None:
    text = 'A wonderful film. I loved it, [b]all[/b] of it.'
    done = call_command('predict', '--explain', text, cwd=home)
    assert done.code == 0, done.err
    assert text in done.out
    assert re.search(r'\+[0-9.]+ +i loved', done.out)
    assert 'bias: the logit of a text without words' in done.out
    (line,) = call_command('predict', '--explain', '--json', text, cwd=home).out.splitlines()
    found = json.loads(line)
    logit = found['bias'] + sum(part['contribution'] for part in found['contributions'])
    assert 1 / (1 + math.exp(-logit)) == pytest.approx(found['probability'], abs=1e-4)
    assert 'i loved' in [part['ngram'] for part in found['contributions'][:5]]


def test_labels_follow_the_threshold_when_the_model_has_one(
    serving: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only the threshold changes, and it is not a part of the loaded model.
    monkeypatch.setattr(tf.saved_model, 'load', functools.cache(tf.saved_model.load))
    live = max(serving.glob('[0-9]*'), key=lambda path: int(path.name))
    texts = ('A wonderful film, I loved it', 'A dull and boring mess. I hated it.', 'A film.')
    table = tmp_path / 'in.csv'
    table.write_text('text\n' + ''.join(f'"{text}"\n' for text in texts))
    where = ('--serving-dir', str(tmp_path / 'serving'))
    version = shutil.copytree(live, tmp_path / 'serving' / live.name)

    def predict(*args: str) -> str:
        done = call_command('predict', *args, *where, cwd=tmp_path)
        assert done.code == 0, done.err
        return done.out

    def scores() -> list[tuple[str, float]]:
        rows = [json.loads(line) for line in predict('--json', *texts).splitlines()]
        by_json = [row['label'] for row in rows]
        assert [line.split('\t')[0] for line in predict(*texts).splitlines()] == by_json
        predict('--input', str(table), '--output', str(tmp_path / 'out.csv'))
        with open(tmp_path / 'out.csv', newline='') as file:
            assert [row['label'] for row in csv.DictReader(file)] == by_json
        return [(row['label'], row['probability']) for row in rows]

    before = scores()
    assert [label for label, _ in before] == [
        'positive' if probability > 0.5 else 'negative' for _, probability in before
    ]
    high, low, middle = (probability for _, probability in before)
    assert low < middle < high
    # The threshold itself is not positive. JSON has the shortest number that is the same float32.
    for threshold, expected in (
        (low / 2, ['positive'] * 3),
        (float(np.float32(low)), ['positive', 'negative', 'positive']),
        ((middle + high) / 2, ['positive', 'negative', 'negative']),
        ((1 + high) / 2, ['negative'] * 3),
    ):
        asset = version / 'assets.extra' / 'threshold.json'
        asset.write_text(json.dumps({'threshold': threshold, 'aim': None}))
        after = scores()
        assert [probability for _, probability in after] == [high, low, middle]
        assert [label for label, _ in after] == expected
    assert 'predicted above 0.' in predict('--explain', texts[0])
    asset.write_text('{"threshold": 2}')
    done = call_command('predict', *texts, *where, cwd=tmp_path)
    assert (done.code, done.out) == (4, '')
    assert 'threshold.json: expected a' in done.err


def test_only_explain_fails_when_a_moved_model_has_no_explain_signature(
    serving: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    old = tmp_path / 'serving'
    live = max(serving.glob('[0-9]*'), key=lambda path: int(path.name))
    version = shutil.copytree(live, old / live.name)
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
    done = call_command('predict', '--explain', 'Fine.', *where, cwd=tmp_path)
    assert done.code == 4
    assert "has no signature 'explain_text': a module of yours made it, or an older" in done.err
    assert done.out == ''
    assert call_command('predict', 'Fine.', *where, cwd=tmp_path).code == 0


def test_columns_are_kept_and_scores_added_when_a_table_is_scored(
    home: pathlib.Path, serving: pathlib.Path, tmp_path: pathlib.Path
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
        done = call_command(
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
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ['in.csv', 'out.csv', 'out.jsonl.gz']


@pytest.mark.parametrize(
    ('args', 'code', 'message'),
    [
        (('in.csv', '--output', 'in.csv'), 2, 'is the input itself'),
        (('in.csv', '--output', 'link.csv'), 2, 'is the input itself'),
        (('in.csv', '--output', 'out.txt'), 2, 'cannot tell the format'),
        (('in.csv', '--output', 'out.csv', '--explain'), 2, '--explain and --output'),
        (('in.csv', '--output', 'out.csv', '--label-column', 'n'), 2, "already has a column 'n'"),
        (('none.csv', '--output', 'out.csv'), 4, 'cannot read none.csv'),
        (('bad.csv', '--output', 'out.csv'), 4, 'bad.csv:1502: the row cannot be used'),
        (('in.csv', '--output', 'out.csv', '--text-column', 'x'), 4, "no column 'x'"),
        (('a.jsonl', '--output', 'out.csv'), 4, 'none of the first 1 rows has a text'),
        (('in.csv', '--output', 'none/out.csv'), 4, 'cannot write '),
    ],
)
def test_nothing_is_written_when_a_table_cannot_be_scored(
    args: tuple[str, ...], code: int, message: str, serving: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / 'in.csv').write_text('text,n\nfine,1\n')
    (tmp_path / 'bad.csv').write_text('text,n\n' + 'fine,1\n' * 1_500 + 'bad\n')
    (tmp_path / 'a.jsonl').write_text('{"review": "fine"}\n')
    (tmp_path / 'link.csv').symlink_to('in.csv')
    before = snapshot(tmp_path)
    done = call_command('predict', '--serving-dir', str(serving), '--input', *args, cwd=tmp_path)
    assert done.code == code
    assert message in done.err
    assert 'Traceback' not in done.err
    assert snapshot(tmp_path) == before


def test_nothing_is_left_when_scoring_is_terminated(
    serving: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    table = tmp_path / 'in.csv'
    table.write_text('text\n' + ('a wonderful and long film ' * 40 + '\n') * 60_000)
    runner = str(REPO / 'pipeline_runner.py')
    where = ('--serving-dir', str(serving), '--input', 'in.csv', '--output', 'out.csv')
    command = [sys.executable, runner, 'predict', *where]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        while process.poll() is None and not list(tmp_path.glob('.out.csv.*.part')):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 143
    assert 'terminated; out.csv was not written' in err
    assert list(tmp_path.iterdir()) == [table]


def test_predict_ends_quietly_when_its_output_is_closed(
    serving: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    # As in `predict --input in.csv | head -1`.
    (tmp_path / 'in.csv').write_text('text\n' + 'a wonderful film\n' * 20_000)
    command = [sys.executable, str(REPO / 'pipeline_runner.py'), 'predict', '--input', 'in.csv']
    with subprocess.Popen(
        [*command, '--serving-dir', str(serving)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith('positive\t')
        process.stdout.close()
        assert process.wait(timeout=300) == 1
        assert process.stderr.read() == ''


def test_predict_names_the_full_disk_when_its_output_does_not_fit(
    serving: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with open('/dev/full', 'w', encoding='utf-8') as full:
        monkeypatch.setattr(sys, 'stdout', full)
        code = pipeline_runner._exit_code(['predict', 'Fine', '--serving-dir', str(serving)])
    assert code == 4
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith('error: cannot write the output: No space left on device; free')
