from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common.errors import ConfigError, DataError
from components.common.settings import ColumnSettings, canonical_label
from components.readers.labels import DROPPED, LabelRule, require_two_labels
from pipeline.settings.config import load_config

STARS = {'positive': ['4', '5'], 'negative': ['1', '2'], 'drop': ['3']}


@pytest.mark.parametrize(
    ('labels', 'columns', 'value'),
    [
        (['1', '1.0', ' 1 ', 'pos', 'Pos', 'POSITIVE', 'True', 'yes'], {}, 1),
        (['0', '0.0', '-1', '-1.0', 'neg', 'NEGATIVE', 'False', 'no'], {}, 0),
        (['', '2', '5', 'unsup', 'neutral', 'spam', 'pos neg'], {}, None),
        (['spam', 'Spam', ' SPAM '], {'positive_label': 'spam'}, 1),
        (['ham', 'spammy'], {'positive_label': 'spam'}, 0),
        (['pos'], {'positive_label': 'neg'}, 0),
        (['1'], {'positive_label': '0'}, 0),
        (['да', 'ДА'], {'positive_label': 'да'}, 1),
        (['4', '4.0', '5', '05'], {'labels': STARS}, 1),
        (['1', '2.0'], {'labels': STARS}, 0),
        (['3', '3.0'], {'labels': STARS}, DROPPED),
        (['6', '0', 'pos'], {'labels': STARS}, None),
        (['5'], {'labels': {'positive': [4, 5.0]}}, 1),
        (['true'], {'labels': {'positive': [True]}}, 1),
        (['3'], {'labels': {'positive': [4, 5]}}, 0),
        (['good'], {'labels': {'negative': ['bad']}}, 1),
        (['-1'], {'labels': {'drop': [-1]}}, DROPPED),
        (['0'], {'labels': {'drop': [-1]}}, 0),
        (['neutral'], {'labels': {'drop': ['Neutral']}}, DROPPED),
    ],
)
def test_label_has_a_value_when_it_is_known_or_listed(
    labels: list[str], columns: dict[str, Any], value: int | None
) -> None:
    rule = LabelRule(ColumnSettings(**columns))
    assert {rule.value(label) for label in labels} == {value}


@pytest.mark.parametrize(
    ('negative', 'positive', 'columns', 'message'),
    [
        ({'0': 5, '-1': 2}, {'1': 9}, {}, r"two label values, got 3: '1' \(9\), '0' \(5\)"),
        ({'neg': 5}, {'pos': 2, 'positive': 1}, {}, 'got 3'),
        ({'ham': 5, 'eggs': 1}, {'spam': 2}, {'positive_label': 'spam'}, 'got 3'),
        ({'1': 1, '3': 1}, {'4': 1, '5': 1}, {'labels': {'positive': [4, 5]}}, 'got 4'),
        ({'1': 1}, {}, {'labels': {'positive': [4, 5]}}, "no row has the positive label '4' or"),
        ({}, {'5': 1}, {'labels': {'positive': [4, 5]}}, 'all labels are the same'),
        ({'1': 1}, {}, {}, 'all labels are the same'),
    ],
)
def test_labels_are_refused_when_they_are_not_two_sides(
    negative: dict[str, int], positive: dict[str, int], columns: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        require_two_labels(negative, positive, ColumnSettings(**columns))


@pytest.mark.parametrize(
    ('negative', 'positive', 'columns'),
    [
        ({'0': 5}, {'1': 9}, {}),
        ({'-1': 5}, {'1': 9}, {}),
        ({'0': 5, '0.0': 1}, {'1': 9, '1.0': 1}, {}),
        ({'1': 1, '2': 1}, {'4': 1, '5': 1}, {'labels': STARS}),
        ({'Ham': 1, 'ham': 3}, {'spam': 1, 'SPAM': 1}, {'positive_label': 'spam'}),
        ({'1': 1}, {'4': 1, '5': 1}, {'labels': {'positive': [4, 5]}}),
    ],
)
def test_labels_are_accepted_when_they_are_two_sides(
    negative: dict[str, int], positive: dict[str, int], columns: dict[str, Any]
) -> None:
    require_two_labels(negative, positive, ColumnSettings(**columns))


@given(st.text())
def test_canonical_form_is_stable_for_any_label(label: str) -> None:
    assert canonical_label(canonical_label(label)) == canonical_label(label)


@pytest.mark.parametrize(
    ('columns', 'message'),
    [
        ({'labels': {'positive': ['5', '5']}}, "the label '5' is listed twice"),
        ({'labels': {'positive': ['5'], 'drop': ['5.0']}}, "the label '5' is listed twice"),
        ({'labels': {'drop': [' ']}}, 'expected labels that are not empty'),
        (
            {'positive_label': '5', 'labels': {'positive': ['4']}},
            'expected positive_label or labels.positive, got both',
        ),
    ],
)
def test_lists_are_refused_when_they_contradict_each_other(
    columns: dict[str, Any], message: str
) -> None:
    settings = [f'data.columns.{name}={value!r}' for name, value in columns.items()]
    with pytest.raises(ConfigError, match=message):
        load_config(data='a.csv', settings=settings)
