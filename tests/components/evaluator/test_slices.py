"""Tests of the division of the test split into slices."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.errors import DataError
from components.evaluator.slice_patterns import parse_slice, slice_name
from components.evaluator.slices import FoundSlices, find_slices


def texts(*values: Any) -> npt.NDArray[Any]:
    found = np.empty(len(values), object)
    found[:] = values
    return found


def find(columns: dict[str, npt.NDArray[Any]], *patterns: str, least: int = 2) -> FoundSlices:
    examples = len(next(iter(columns.values())))
    return find_slices(
        columns, [parse_slice(key) for key in patterns], examples=examples, min_examples=least
    )


def counts(found: FoundSlices) -> dict[str, int]:
    return {name: int(each.rows.sum()) for name, each in found.slices.items()}


def test_slices_by_length_are_found_when_no_pattern_names_them() -> None:
    found = find({'length': texts('11-50', '1-10', '401+', '1-10', None)}, least=9)
    assert counts(found) == {'': 5, 'length=1-10': 2, 'length=11-50': 1, 'length=401+': 1}


def test_value_is_a_slice_when_it_is_frequent_or_named() -> None:
    products = texts('tea', 'tea', 'cup', 'pan', None, 'tea')
    found = find({'product': products}, 'product', least=2)
    assert counts(found) == {
        '': 6,
        'product=(none)': 1,
        'product=(other)': 2,
        'product=tea': 3,
    }
    found = find({'product': products}, 'product', 'product=cup', least=2)
    assert counts(found)['product=cup'] == 1
    assert counts(found)['product=(other)'] == 1
    assert found.by_pattern[parse_slice('product=cup')] == ['product=cup']
    assert found.slices['product=cup'].is_of_values
    assert not found.slices['product=(other)'].is_of_values


def test_each_value_with_enough_examples_is_a_slice_when_there_are_many() -> None:
    # None of them may escape from a bound on each product.
    names = [f'p{number:02}' for number in range(30)]
    products = texts(*itertools.chain(*([name] * (40 - n) for n, name in enumerate(names))))
    found = find({'product': products}, 'product', 'product=p29', least=12)
    shown = {*names[:29], names[29]}
    assert set(found.slices) == {'', *(f'product={name}' for name in shown)}
    assert sum(n for name, n in counts(found).items() if name) == len(products)


def test_slices_are_refused_when_there_are_too_many() -> None:
    products = texts(*(f'p{number}' for number in range(1_001)))
    message = r"at most 1,000 values of 'product' with at least 1 texts of test, got 1,001$"
    with pytest.raises(DataError, match=message):
        find({'product': products}, 'product', least=1)
    assert counts(find({'product': products}, 'product', least=2))['product=(other)'] == 1_001


ODD = ['(other)', '(none)', '"', '"tea"', 'tea, length=1-10', 'a, b', 'a=b', 'x\ny', '\\', '\x9b2J']


def test_odd_values_are_slices_of_their_own_and_can_be_named() -> None:
    values = [*ODD, 'a,b', 'rare', None, '5', 'Tea', 'tea']
    number = {value: 1 if value == 'rare' else 2 + n for n, value in enumerate(values)}
    products = texts(*itertools.chain(*([value] * number[value] for value in values)))
    lengths = texts(*['1-10', '11-50'] * len(products))[: len(products)]
    found = find({'product': products, 'length': lengths}, 'product', 'product, length')
    names = found.by_pattern[parse_slice('product')]
    assert sorted(counts(found)[name] for name in names) == sorted(number.values())
    assert counts(found)['product=(other)'] == number['rare']
    assert counts(found)['product=(none)'] == number[None]
    assert counts(found)['product="(other)"'] == number['(other)']
    assert len(set(found.by_pattern[parse_slice('product, length')])) == 2 * len(values) - 1
    for name in names:
        pattern = parse_slice(name)
        assert pattern.name == name
        assert name.isprintable()
        only = find({'product': products}, name)
        if name not in {'product=(other)', 'product=(none)'}:
            assert {products[rows] for rows in only.slices[name].rows.nonzero()[0]} == set(
                pattern.feature_values().values()
            )


def test_slices_of_one_and_of_two_columns_have_different_names_when_a_value_looks_like_both() -> (
    None
):
    columns = {'brand': texts('x, product=tea', 'x', 'x'), 'product': texts('cup', 'tea', 'tea')}
    found = find(columns, 'brand', 'brand, product', least=1)
    assert counts(found) == {
        '': 3,
        'brand=x': 2,
        'brand="x, product=tea"': 1,
        'brand=x, product=tea': 2,
        'brand="x, product=tea", product=cup': 1,
    }


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.tuples(st.text(min_size=1), st.text(min_size=1)), st.tuples(st.text(), st.text()))
def test_name_of_a_slice_is_parsed_as_the_same_values(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    names = [slice_name((('brand', a), ('product', b))) for a, b in (one, other)]
    assert parse_slice(names[0]).feature_values() == {'brand': one[0], 'product': one[1]}
    assert (names[0] == names[1]) == (one == other)


@pytest.mark.parametrize('pattern', ['product', 'length, product'])
def test_bound_on_each_value_stands_for_no_slice_when_test_has_no_value(pattern: str) -> None:
    columns = {'product': texts(None, None), 'length': texts('1-10', '1-10')}
    found = find(columns, pattern)
    assert found.by_pattern[parse_slice(pattern)] == []
    assert found.by_pattern[parse_slice('length')] == ['length=1-10']
    assert find(columns, 'product=(none)').by_pattern[parse_slice('product=(none)')]


def test_integers_are_values_when_there_are_few_and_ranges_when_there_are_many() -> None:
    stars = texts(*[1, 5, 5, None, 1])
    assert counts(find({'stars': stars}, 'stars')) == {
        '': 5,
        'stars=(none)': 1,
        'stars=1': 2,
        'stars=5': 2,
    }
    assert find({'stars': stars}, 'stars').slices['stars=5'].key == (('stars', 5),)
    ages = texts(*range(-1, 23))
    found = find({'age': ages}, 'age', 'age=7', 'age=5 to 10', 'age=x', 'age=70')
    assert counts(found) == {
        '': 24,
        'age=-1 to 4': 6,
        'age=5 to 10': 6,
        'age=11 to 16': 6,
        'age=17 to 22': 6,
        'age=7': 1,
    }
    assert found.by_pattern[parse_slice('age=70')] == []
    assert found.by_pattern[parse_slice('age=x')] == []


def test_floats_are_ranges_of_equal_numbers_of_examples() -> None:
    prices = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, np.nan]).astype(np.float32)
    found = find({'price': prices.astype(np.float64)}, 'price', 'price=0.3')
    assert counts(found) == {
        '': 8,
        'price=(none)': 1,
        'price=0.1 to 0.2': 2,
        'price=0.3 to 0.4': 2,
        'price=0.5 to 0.6': 2,
        'price=0.7': 1,
        'price=0.3': 1,
    }
    # Equal numbers are in one range.
    assert counts(find({'price': np.zeros(5)}, 'price')) == {'': 5, 'price=0.0': 5}
    assert counts(find({'price': np.full(2, np.nan)}, 'price')) == {'': 2, 'price=(none)': 2}


def test_cross_has_the_examples_of_both_columns() -> None:
    columns = {
        'length': texts('1-10', '1-10', '11-50', '11-50', '11-50', '1-10'),
        'product': texts('tea', 'cup', 'tea', 'tea', 'cup', 'tea'),
    }
    found = find(columns, 'product, length')
    assert {name: n for name, n in counts(found).items() if ',' in name} == {
        'length=1-10, product=cup': 1,
        'length=1-10, product=tea': 2,
        'length=11-50, product=cup': 1,
        'length=11-50, product=tea': 2,
    }
    found = find(columns, 'product=cup, length', 'length=401+, product')
    assert found.by_pattern[parse_slice('product=cup, length')] == [
        'length=1-10, product=cup',
        'length=11-50, product=cup',
    ]
    assert found.by_pattern[parse_slice('length=401+, product')] == []
    assert found.slices['length=1-10, product=cup'].key == (('length', '1-10'), ('product', 'cup'))


@pytest.mark.parametrize('pattern', ['product=pan', 'product=pan, length', 'stars=5'])
def test_pattern_stands_for_no_slice_when_the_value_does_not_occur(pattern: str) -> None:
    columns = {'length': texts('1-10', None), 'product': texts('tea', 'cup')}
    found = find(columns, pattern)
    assert found.by_pattern[parse_slice(pattern)] == []
    assert set(found.slices) == {'', 'length=1-10'}


def test_there_are_no_slices_when_there_are_no_examples() -> None:
    columns = {'length': texts(), 'product': texts(), 'price': np.zeros(0)}
    assert counts(find(columns, 'product', 'price', 'price, product')) == {'': 0}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.none() | st.integers(-30, 30), min_size=1, max_size=60),
    st.lists(st.floats(allow_nan=True, width=32), min_size=60, max_size=60),
    st.integers(1, 5),
)
def test_each_example_is_in_one_slice_of_a_column(
    numbers: list[int | None], prices: list[float], least: int
) -> None:
    columns = {'stars': texts(*numbers), 'price': np.array(prices[: len(numbers)])}
    found = find(columns, 'stars', 'price', 'price, stars', least=least)
    for pattern in ('stars', 'price', 'price, stars'):
        names = found.by_pattern[parse_slice(pattern)]
        missing = np.array([number is None for number in numbers])
        if ('stars' in pattern and missing.all()) or (
            'price' in pattern and np.isnan(columns['price']).all()
        ):
            assert names == []
            continue
        assert (sum(found.slices[name].rows.astype(int) for name in names) == 1).all()
