"""Feature columns through a whole run: the example in examples/, its scores, and its slices."""

from __future__ import annotations

import csv
import json
import pathlib
import random

import pytest

from tests.conftest import REPO, SAMPLE, Finished, call_command

SLICES = {
    'slicing_specs': [{}, {'feature_keys': ['product']}],
    'metrics_specs': [
        {
            'metrics': [
                {
                    'class_name': 'BinaryAccuracy',
                    'threshold': {'value_threshold': {'lower_bound': 0.5}},
                }
            ]
        }
    ],
}


def write_table(path: pathlib.Path) -> None:
    """Write reviews with stars that tell the label, and a product, both of which may be missing."""
    generator = random.Random(1)
    with open(next(SAMPLE.glob('*.csv')), newline='', encoding='utf-8') as file:
        reviews = list(csv.DictReader(file))[:600]
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['text', 'label', 'stars', 'product'])
        for review in reviews:
            stars = generator.choice([4, 5] if review['label'] == 'positive' else [1, 2])
            product = generator.choice(['tea', 'cake', ''])
            writer.writerow([*review.values(), generator.choice([stars] * 3 + ['']), product])


def predict(table: str, folder: pathlib.Path, name: str = 'new.csv') -> Finished:
    (folder / name).write_text(table)
    return call_command('predict', '--input', name, '--json', cwd=folder)


@pytest.mark.usefixtures('quick_smoke_tests')
def test_example_learns_from_a_column_and_metrics_are_sliced_by_another(
    tmp_path: pathlib.Path,
) -> None:
    write_table(tmp_path / 'reviews.csv')
    (tmp_path / 'slices.json').write_text(json.dumps(SLICES))
    settings = {
        'data.columns.features': '[stars, product]',
        'gate.eval_config': 'slices.json',
        'text.vocab_size': '2000',
        'trainer.model.learning_rate': '0.01',
    }
    options = [part for name, value in settings.items() for part in ('--set', f'{name}={value}')]
    module = str(REPO / 'examples' / 'stars.py')
    command = ('run', '--data', 'reviews.csv', '--module', module, '--json', *options)
    done = call_command(*command, cwd=tmp_path)
    assert done.code == 0, done.err
    assert {'product=tea', 'product=cake'} <= set(done.json['slices'])
    assert 'stars' in pathlib.Path(done.json['report']).read_text(encoding='utf-8')

    found = predict('text,stars,product\nA film.,5,tea\nA film.,,\nA film.,1,x\n', tmp_path)
    assert found.code == 0, found.err
    best, missing, worst = (json.loads(line)['probability'] for line in found.out.splitlines())
    assert best > 0.7
    assert worst < 0.3
    assert worst < missing < best
    scores = ('--input', 'new.csv', '--output', 'scores.csv')
    done = call_command('predict', *scores, cwd=tmp_path)
    assert done.code == 0, done.err
    rows = list(csv.DictReader((tmp_path / 'scores.csv').open()))
    assert [float(row['probability']) for row in rows] == pytest.approx([best, missing, worst])
    alone = call_command('predict', 'A film.', '--json', cwd=tmp_path)
    assert json.loads(alone.out)['probability'] == pytest.approx(missing)
    assert 'warning: the model was trained with stars, product, which plain' in alone.err

    refused = predict('text,stars\nA film.,5\n', tmp_path)
    assert refused.code == 4
    assert "'stars' and 'product', but the input has no column 'product'" in refused.err
    refused = predict('text,stars,product\nA film.,five,tea\n', tmp_path)
    assert "new.csv:2: text in the int column 'stars'" in refused.err
