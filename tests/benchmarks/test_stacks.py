"""What two stacks have left is judged: here by files that a test writes, as they would."""

from __future__ import annotations

import doctest
import json
import math
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import __main__ as cli
from benchmarks import report
from benchmarks.stacks import exchange, judging, making, probes, specs, table
from benchmarks.stacks.exchange import Answers, Left, stacks_in
from components.common.errors import DataError, NotBlessedError
from pipeline.cloud.targets import TARGETS

_VERSIONS = {
    'tfx-1.16': {'python': '3.10.13', 'tfx': '1.16.0', 'tensorflow': '2.16.2', 'keras': '3.12.4'},
    'tfx-1.21': {'python': '3.11.9', 'tfx': '1.21.0', 'tensorflow': '2.21.0', 'keras': '3.15.1'},
}
_SCORES = [0.25, 0.5, 0.75]
_EXPLAINED = [{'bias': 0.5, 'contributions': {'good': 1.0, 'bad': -1.0}}, {'bias': 0.5}]
_EXPLAINED[1]['contributions'] = {}
Change = Callable[[Any], None]


def write(path: pathlib.Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


def specification(name: str, fingerprint: str) -> dict[str, Any]:
    return {
        'sdkVersion': f'tfx-{_VERSIONS[name]["tfx"]}',
        'root': {'Trainer': {'fingerprint': fingerprint, 'epochs': 10}},
    }


def compiled(target: str, name: str, fingerprint: str) -> str:
    spec = specification(name, fingerprint)
    if target == 'kubeflow':
        return json.dumps(spec)
    versions = _VERSIONS[name]
    python = versions['python'].rpartition('.')[0]
    labels = {'tfx_version': versions['tfx'], 'tfx_py_version': python, 'tfx_runner': 'kubeflow_v2'}
    labels = {key: label.replace('.', '-') for key, label in labels.items()}
    return json.dumps({'labels': labels, 'pipelineSpec': spec})


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two stacks that agree in all."""
    for name, versions in _VERSIONS.items():
        left = Left(tmp_path / name)
        metrics = {'binary_accuracy': 0.9, 'loss': 0.3, 'auc': 0.95, 'precision': 0.9}
        write(left.outcome('ngram'), {'outcome': 'pushed', 'metrics': metrics})
        for target in TARGETS:
            write(left.compiled(target, 'ngram'), compiled(target, name, f'of {name}'))
        for other in _VERSIONS:
            answers = left.of(other)
            scores = {'serving_text': _SCORES, 'serving_default': _SCORES, 'predict': _SCORES[-2:]}
            explained = {'explain_text': [{**_EXPLAINED[1]}, *_EXPLAINED]}
            explained['predict --explain'] = _EXPLAINED
            write(answers.scores('ngram'), {**scores, **explained})
            for target in TARGETS:
                # TFX says its own version; the fingerprint is as the other's versions have it.
                write(answers.compiled(target, 'ngram'), compiled(target, name, f'of {other}'))
        facts = {
            'date': '2030-01-02 03:04 UTC',
            'commit': '0123456789ab' if name == 'tfx-1.16' else '',
            'machine': {'cpu': 'Some CPU'},
            'versions': versions,
            'code': 'c',
            'data': {'name': 'reviews.csv', 'sha256': 'd'},
            'presets': ['ngram'],
            'seed': 1,
        }
        write(left.facts_file, facts)
    return tmp_path


def change(path: pathlib.Path, how: Change) -> None:
    value = json.loads(path.read_text())
    how(value)
    write(path, value)


GOLDEN = """\
| preset | stack | accuracy | loss | AUC | scores apart by | explanations apart by |
|---|---|---:|---:|---:|---:|---:|
| ngram | TFX 1.16.0, TensorFlow 2.16.2, Keras 3.12.4, Python 3.10 | 0.90000 | 0.30000 | 0.95000 \
| 0.0e+00 | 0.0e+00 |
| ngram | TFX 1.21.0, TensorFlow 2.21.0, Keras 3.15.1, Python 3.11 | 0.90000 | 0.30000 | 0.95000 \
| 0.0e+00 | 0.0e+00 |

Measured 2030-01-02 03:04 UTC, commit 0123456789ab, on reviews.csv with seed 1, Some CPU."""


def test_nothing_is_violated_when_stacks_agree(folder: pathlib.Path) -> None:
    results = judging.judge(folder)
    assert results['violations'] == []
    assert table.markdown(results) == GOLDEN


def _accuracy(difference: float) -> Change:
    return lambda outcome: outcome['metrics'].update(binary_accuracy=0.9 + difference)


@pytest.mark.parametrize(('difference', 'holds'), [(0.0029, True), (0.0031, False), (-0.01, False)])
def test_accuracies_are_held_to_the_bound(
    folder: pathlib.Path, difference: float, holds: bool
) -> None:
    change(folder / 'tfx-1.21/outcomes/ngram.json', _accuracy(difference))
    violations = judging.judge(folder)['violations']
    assert [line.partition(':')[0] for line in violations] == ([] if holds else ['ngram'])
    assert holds or 'expected to be within 0.003' in violations[0]


@pytest.mark.parametrize('by', ['tfx-1.16', 'tfx-1.21'])
@pytest.mark.parametrize('owner', ['tfx-1.16', 'tfx-1.21'])
@pytest.mark.parametrize(
    ('how', 'what'),
    [
        (lambda s: s['serving_text'].__setitem__(0, 0.2502), 'probability differs by 0.0002'),
        (lambda s: s['serving_default'].__setitem__(1, 0.5002), 'probability differs by 0.0002'),
        (lambda s: s['predict'].__setitem__(1, 0.7502), 'probability differs by 0.0002'),
        (lambda s: s['serving_text'].__setitem__(0, math.nan), 'probability differs by nan'),
        (lambda s: s['serving_default'].__setitem__(2, math.inf), 'probability differs by nan'),
        (lambda s: s['explain_text'][0].update(bias=0.5002), 'explanation differs by 0.0002'),
        (lambda s: s['explain_text'][1]['contributions'].pop('bad'), 'explanation differs by 1,'),
        (
            lambda s: s['predict --explain'][0]['contributions'].update(new=0.0002),
            'explanation differs by 0.0002',
        ),
        (lambda s: s['explain_text'][2].update(bias=math.nan), 'explanation differs by nan'),
    ],
)
def test_scores_are_held_to_the_bound_when_either_stack_loads_a_model(
    folder: pathlib.Path, by: str, owner: str, how: Change, what: str
) -> None:
    change(Left(folder / by).of(owner).scores('ngram'), how)
    (violation,) = judging.judge(folder)['violations']
    assert f'ngram, the model of {owner}: {what}' in violation


def test_scores_may_differ_in_their_last_bits(folder: pathlib.Path) -> None:
    answers = Left(folder / 'tfx-1.21').of('tfx-1.16').scores('ngram')
    change(answers, lambda s: s['serving_text'].__setitem__(0, 0.25005))
    assert judging.judge(folder)['violations'] == []


def test_it_is_an_error_when_scores_are_missing(folder: pathlib.Path) -> None:
    answers = Left(folder / 'tfx-1.21').of('tfx-1.16').scores('ngram')
    change(answers, lambda s: s['serving_text'].pop())
    with pytest.raises(DataError, match='as many values of each'):
        judging.judge(folder)


@pytest.mark.parametrize(
    ('name', 'how', 'path'),
    [
        ('kubeflow', lambda s: s['root']['Trainer'].update(epochs=11), '0/root/Trainer/epochs'),
        ('kubeflow', lambda s: s['root']['Trainer'].update(epochs=10.0), '0/root/Trainer/epochs'),
        ('kubeflow', lambda s: s['root'].pop('Trainer'), '0/root/Trainer'),
        ('kubeflow', lambda s: s['root'].update(new=None), '0/root/new'),
        ('kubeflow', lambda s: s.update(sdkVersion='tfx-1.22.0'), '0/sdkVersion'),
        (
            'kubeflow',
            lambda s: s['root']['Trainer'].update(fingerprint='of other code'),
            '0/root/Trainer/fingerprint',
        ),
        ('vertex', lambda s: s['labels'].update(tfx_version='1-22-0'), '0/labels/tfx_version'),
        ('vertex', lambda s: s['labels'].update(tfx_runner='x'), '0/labels/tfx_runner'),
        ('vertex', lambda s: s['pipelineSpec'].pop('sdkVersion'), '0/pipelineSpec/sdkVersion'),
    ],
)
def test_compiled_pipelines_may_differ_in_the_names_of_versions_alone(
    folder: pathlib.Path, name: str, how: Change, path: str
) -> None:
    target = next(target for target in TARGETS if target == name)
    change(Left(folder / 'tfx-1.21').compiled(target, 'ngram'), how)
    (violation,) = judging.judge(folder)['violations']
    assert violation.startswith(f'ngram, compiled for {target}: {path} is ')
    assert violation.endswith(' by tfx-1.21')


@pytest.mark.parametrize(
    ('name', 'how', 'path'),
    [
        ('kubeflow', lambda s: s.update(sdkVersion='tfx-1.21.0'), '0/sdkVersion'),
        ('kubeflow', lambda s: s.pop('sdkVersion'), '0/sdkVersion'),
        ('vertex', lambda s: s['labels'].update(tfx_version='1-21-0'), '0/labels/tfx_version'),
        (
            'vertex',
            lambda s: s['pipelineSpec'].update(sdkVersion='tfx-1.21.0'),
            '0/pipelineSpec/sdkVersion',
        ),
        ('vertex', lambda s: s.pop('labels'), '0/labels/tfx_version'),
    ],
)
def test_stacks_must_name_their_own_versions_when_both_say_the_same(
    folder: pathlib.Path, name: str, how: Change, path: str
) -> None:
    target = next(target for target in TARGETS if target == name)
    old, new = Left(folder / 'tfx-1.16'), Left(folder / 'tfx-1.21')
    same = [old.compiled(target, 'ngram'), new.of('tfx-1.16').compiled(target, 'ngram')]
    for file in same:
        write(file, compiled(target, 'tfx-1.16', 'of tfx-1.16'))
        change(file, how)
    assert same[0].read_text() == same[1].read_text()
    starts = [line.partition(' is ')[0] for line in judging.judge(folder)['violations']]
    assert f'ngram, compiled for {target}: {path}' in starts


@pytest.mark.parametrize('name', ['code', 'data', 'presets', 'seed'])
def test_stacks_are_not_compared_when_they_did_not_do_the_same(
    folder: pathlib.Path, name: str
) -> None:
    change(folder / 'tfx-1.21/stack.json', lambda facts: facts.update({name: ['ngram', 'other']}))
    with pytest.raises(DataError, match=f'did not do the same: {name}'):
        judging.judge(folder)


def test_it_is_an_error_when_one_stack_is_alone_or_none_is_there(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (folder / 'tfx-1.21/stack.json').unlink()
    with pytest.raises(DataError, match=r'expected what two stacks have left.*got tfx-1\.16'):
        judging.judge(folder)
    with pytest.raises(DataError, match='no stack has left anything'):
        stacks_in(tmp_path / 'none')


def test_command_keeps_results_and_ends_with_3_when_stacks_differ(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    output = tmp_path / 'results.json'
    assert cli.exit_code(['stacks', 'compare', str(folder), '--output', str(output)]) == 0
    assert capsys.readouterr().out.strip() == GOLDEN
    assert report.load(output)['violations'] == []
    kept = output.read_bytes()
    change(folder / 'tfx-1.21/outcomes/ngram.json', _accuracy(-0.01))
    code = cli.exit_code(['stacks', 'compare', str(folder)])
    assert code == NotBlessedError.exit_code
    assert 'error: ngram: accuracies 0.9000 and 0.8900' in capsys.readouterr().err
    code = cli.exit_code(['stacks', 'compare', str(folder), '--output', str(output)])
    assert code == NotBlessedError.exit_code
    assert output.read_bytes() == kept
    failed = tmp_path / 'results.json.failed'
    assert len(report.load(failed)['violations']) == 1
    assert capsys.readouterr().err.endswith(f'; the results are kept in {failed}\n')


@pytest.mark.parametrize('name', ['components/a.py', 'components/schema/reviews.pbtxt'])
def test_code_is_another_when_a_file_of_it_is(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ('pipeline_runner.py', 'components/a.py', 'components/schema/reviews.pbtxt'):
        write(tmp_path / file, 'as it was')
    monkeypatch.setattr(making, 'ROOT', tmp_path)
    before = making._code_digest()
    assert making._code_digest() == before
    write(tmp_path / name, 'changed')
    assert making._code_digest() != before


def test_a_preset_or_data_that_are_not_there_are_refused_at_once(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure = ['stacks', 'measure', str(tmp_path / 'x'), '--data', str(tmp_path / 'none.csv')]
    assert cli.exit_code([*measure, '--presets', 'ngram,best']) == 2
    assert cli.exit_code(measure) == 4
    err = capsys.readouterr().err
    assert "no preset is called 'best'" in err
    assert 'the data are not there' in err
    assert not (tmp_path / 'x').exists()


def test_score_is_refused_when_this_stack_has_left_nothing(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exchange, 'own_name', lambda: 'tfx-9.9')
    assert cli.exit_code(['stacks', 'score', str(folder)]) == DataError.exit_code
    assert 'tfx-9.9 has left nothing' in capsys.readouterr().err


def test_probes_are_invented_texts_of_all_sorts() -> None:
    texts = probes.probe_texts()
    assert len(texts) > 200
    assert '' in texts
    assert max(map(len, texts)) > 50_000
    # The command line is asked about the last of them, each an argument.
    assert all(text and '\0' not in text for text in texts[-20:])


def test_examples_in_docstrings_hold() -> None:
    for module in (judging, probes, specs):
        results = doctest.testmod(module)
        assert results.attempted
        assert not results.failed


def test_readme_table_is_what_the_kept_results_give() -> None:
    if not table.STACKS_FILE.is_file():
        pytest.skip('nothing was measured yet: make stacks')
    text = report.README.read_text(encoding='utf-8')
    results = report.load(table.STACKS_FILE)
    assert results['violations'] == []
    assert report.updated(text, 'stacks', table.markdown(results)) == text


def test_answers_are_kept_by_whose_they_are(tmp_path: pathlib.Path) -> None:
    left = Left(tmp_path / 'tfx-1.16')
    assert left.of('tfx-1.21') == Answers(tmp_path / 'tfx-1.16' / 'of-tfx-1.21')
    with pytest.raises(DataError, match=r'tfx-1\.16 has left no model of the preset ngram'):
        left.model('ngram')
