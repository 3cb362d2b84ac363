"""Whole runs in which a part of the texts is bad, and all texts together are good."""

from __future__ import annotations

import pathlib
import random
from collections.abc import Callable, Sequence

import pytest

from tests.conftest import snapshot
from tests.torture.conftest import Tally
from tests.torture.deliveries import NOT_BLESSED, SPLIT, Home, Rows, first_delivery, split_rows


def add_products(rows: Rows, names: Sequence[str] = ('cup', 'pan', 'tea')) -> Rows:
    """Give each row a product; every tenth row is of `zither`."""
    return [
        {**row, 'product': 'zither' if number % 10 == 0 else names[number % len(names)]}
        for number, row in enumerate(rows)
    ]


def scramble(rows: Rows) -> Rows:
    """Draw the labels of one product by lot."""
    rng = random.Random(5)
    return [
        {**row, 'label': rng.choice(['positive', 'negative'])}
        if row['product'] == 'zither'
        else row
        for row in rows
    ]


def scramble_one(rows: Rows) -> Rows:
    return scramble(add_products(rows))


def scramble_one_of_many(rows: Rows) -> Rows:
    return scramble(add_products(rows, [f'p{number:02}' for number in range(21)]))


def scramble_one_named_as_rare_ones(rows: Rows) -> Rows:
    """Name a scrambled product as the slice of the rare values, which are good."""
    found = scramble_one(rows)
    return [
        {
            **row,
            'product': '(other)' if row['product'] == 'zither' else f'{row["product"]} {number}',
        }
        for number, row in enumerate(found)
    ]


def scramble_and_rename_one(rows: Rows) -> Rows:
    return [
        {**row, 'product': row['product'].replace('zither', 'Zither')} for row in scramble_one(rows)
    ]


def lose_products_of_test(rows: Rows) -> Rows:
    """Assign splits; the rows of test have no product."""
    return [
        {**row, 'product': '' if row['split'] == 'test' else row['product']}
        for row in split_rows(add_products(rows))
    ]


def shrink_one(rows: Rows) -> Rows:
    """Keep every tenth row of a scrambled product."""
    return [
        row
        for number, row in enumerate(scramble_one(rows))
        if row['product'] != 'zither' or number % 100 == 0
    ]


PRODUCTS = ('--name', 'products', '--set', 'data.columns.features=["product:string"]')


@pytest.fixture(scope='module')
def products(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Push a model of few n-grams, which each later one is better than."""
    home = first_delivery(tmp_path_factory.mktemp('products'))
    fewer = ('--set', 'trainer.model.min_ngram_documents=60', '--set', 'gate.min_accuracy=0.5')
    done = home.run(add_products(home.rows), *PRODUCTS, *fewer)
    assert done.json['outcome'] == 'pushed', done.err
    return home


def slices(bounds: str) -> tuple[str, str]:
    return '--set', f'gate.slices={bounds}'


EACH, ONE = slices('{"product": 0.75}'), slices('{"product=zither": {"accuracy": {"min": 0.75}}}')


@pytest.mark.parametrize(
    ('fault', 'attack', 'args', 'expected'),
    [
        ('one product scrambled, all texts better', scramble_one, EACH, 'product=zither'),
        ('the scrambled product is one of many', scramble_one_of_many, EACH, 'product=zither'),
        (
            'a scrambled product is named as the rare ones',
            scramble_one_named_as_rare_ones,
            EACH,
            'product="(other)"',
        ),
        ('a scrambled product is renamed', scramble_and_rename_one, ONE, 'product=zither'),
        (
            'test has no product',
            lose_products_of_test,
            # The baseline knows the texts of test, and is better.
            (*EACH, *SPLIT, '--set', 'gate.max_accuracy_drop=0.5'),
            'product',
        ),
        (
            'a scrambled product with few texts',
            shrink_one,
            (*ONE, '--set', 'gate.small_slices=refuse'),
            'product=zither',
        ),
    ],
)
def test_serving_folder_is_unchanged_when_a_slice_is_bad_and_the_whole_is_better(
    fault: str,
    attack: Callable[[Rows], Rows],
    args: tuple[str, ...],
    expected: str,
    products: Home,
    tally: Tally,
) -> None:
    before = snapshot(products.serving)
    done = products.run(attack(products.rows), *PRODUCTS, *args)
    lost = snapshot(products.serving) != before
    tally(fault=f'gate: {fault}', runs=1, faults=1, losses=int(lost))
    assert not lost
    assert done.code == NOT_BLESSED, done.err
    missed = {check['slice'] for check in done.json['thresholds'] if not check['passed']}
    assert missed == {expected}
    if attack is not lose_products_of_test:
        assert done.json['metrics']['binary_accuracy'] > done.json['baseline']['binary_accuracy']


def test_serving_folder_is_unchanged_when_the_evaluation_is_edited(
    products: Home, tally: Tally
) -> None:
    rows, args = scramble_one(products.rows), (*PRODUCTS, *EACH, '--set', 'trainer.seed=9')
    before = snapshot(products.serving)
    assert products.run(rows, *args).code == NOT_BLESSED
    artifacts = products.folder / 'runs' / 'artifacts' / 'products' / 'Evaluator'

    def latest(name: str) -> pathlib.Path:
        return max(artifacts.rglob(name), key=lambda path: path.stat().st_mtime_ns)

    edits: list[Callable[[], object]] = [
        lambda: (path := latest('evaluation.json')).write_text(
            path.read_text().replace('"passed": false', '"passed": true')
        ),
        lambda: (path := latest('evaluation.json')).write_bytes(path.read_bytes()[:500]),
        lambda: latest('evaluation.json').unlink(),
        lambda: latest('scores-*.parquet').write_bytes(b'PAR1'),
        lambda: (path := latest('NOT_BLESSED')).rename(path.with_name('BLESSED')),
    ]
    runs = []
    for edit in edits:
        edit()
        runs.append(products.run(rows, *args))
    lost = snapshot(products.serving) != before
    tally(
        fault='gate: an evaluation edited by hand, or damaged',
        runs=len(edits),
        faults=sum(done.states()['Evaluator'] != 'cached' for done in runs),
        losses=int(lost),
    )
    assert not lost
    for done in runs:
        assert done.code == NOT_BLESSED, done.err
        missed = [check['slice'] for check in done.json['thresholds'] if not check['passed']]
        assert missed == ['product=zither']


@pytest.mark.parametrize(('confidence', 'code'), [('null', 0), ('0.95', NOT_BLESSED)])
def test_drop_within_noise_is_refused_only_when_intervals_are_judged(
    confidence: str, code: int, products: Home, tally: Tally
) -> None:
    name = ('--name', f'noise-{code}')
    assert products.run(products.rows, *name).json['outcome'] == 'pushed'
    before = snapshot(products.serving)
    bounds = ('--set', 'gate.max_accuracy_drop=0.002', '--set', f'gate.confidence={confidence}')
    fewer = ('--set', 'trainer.model.min_ngram_documents=60')
    within = products.run(products.rows, *name, *bounds, '--set', 'trainer.seed=2')
    assert within.code == code, within.err
    lost = code == NOT_BLESSED and snapshot(products.serving) != before
    before = snapshot(products.serving)
    beyond = products.run(products.rows, *name, *bounds, *fewer)
    lost |= snapshot(products.serving) != before
    tally(
        fault='gate: a drop of the accuracy within noise, and beyond it',
        runs=2,
        faults=2,
        losses=int(lost),
    )
    assert not lost
    assert beyond.code == NOT_BLESSED, beyond.err
    (check,) = (c for c in beyond.json['thresholds'] if c['bound'].endswith('(baseline)'))
    assert not check['passed']
    assert (check['judged'] is None) == (confidence == 'null')
