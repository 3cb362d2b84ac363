from __future__ import annotations

import math
from typing import Any

import pydantic
import pytest

from components.common.settings import ColumnSettings, LabelSettings, Settings, TextSettings
from components.evaluator.settings import GateSettings
from components.trainer.models import ARCHITECTURES
from components.trainer.models.ngram.settings import NgramSettings
from components.trainer.models.tutorial.settings import TutorialSettings
from components.trainer.settings import TrainerSettings
from components.trainer.threshold_aim import Aim
from components.user_module.settings import ModuleSettings

GATE = {'min_accuracy': 0.8, 'max_accuracy_drop': 0.01}
CLASSES = (
    ColumnSettings,
    TextSettings,
    TrainerSettings,
    TutorialSettings,
    NgramSettings,
    ModuleSettings,
    GateSettings,
)

# Class, field, the least and greatest values allowed, and the nearest beyond them.
BOUNDS: list[tuple[type[Settings], str, list[Any], list[Any]]] = [
    (ColumnSettings, 'text_column', ['x'], ['']),
    (ColumnSettings, 'label_column', ['x'], ['']),
    (ColumnSettings, 'split_column', [None, 'x'], ['']),
    (ColumnSettings, 'group_column', [None, 'x'], ['', 'text', 'label']),
    (ColumnSettings, 'positive_label', [None, 'x'], ['']),
    (ColumnSettings, 'encoding', ['utf-8', 'cp1252'], ['', 'hex', None]),
    (ColumnSettings, 'delimiter', [None, ';', '\t'], ['', 'ab']),
    (ColumnSettings, 'quoting', ['auto', 'minimal', 'none'], ['all', '', None]),
    (ColumnSettings, 'header', [True, False], ['maybe']),
    (
        ColumnSettings,
        'labels',
        [LabelSettings(), LabelSettings(drop=('3',))],
        [{'drop': ['3', '3']}, 'x', None],
    ),
    (ColumnSettings, 'features', [(), ('x', 'y:int')], [('x', 'x'), 'x', None]),
    (ColumnSettings, 'test_percent', [1, 80], [0, 81, 20.5, None]),
    (ColumnSettings, 'val_percent', [1, 80], [0, 81, 20.5, None]),
    (ColumnSettings, 'use_unlabelled', [True, False], ['maybe']),
    (ColumnSettings, 'max_rejected_percent', [0, 0.5, 100], [-0.1, 100.1]),
    (TextSettings, 'vocab_size', [3, 1_000_000], [2, 1_000_001]),
    (TextSettings, 'min_word_count', [1, 10_000], [0, 1.5]),
    (TextSettings, 'punctuation', ['drop', 'split'], ['keep', '', None]),
    (TextSettings, 'max_tokens', [1, 100_000], [0, 100_001]),
    (TutorialSettings, 'architecture', ['tutorial'], ['ngram', '', None]),
    (TutorialSettings, 'epochs', [1, 10_000], [0, 10_001]),
    (TutorialSettings, 'batch_size', [1, 65_536], [0, 65_537, 32.5, 'many']),
    (TutorialSettings, 'learning_rate', [1e-9, 10], [0, 10.1]),
    (TutorialSettings, 'embedding_dim', [1, 4_096], [0, 4_097]),
    (TutorialSettings, 'dropout', [0, 0.99], [-0.1, 1]),
    (TutorialSettings, 'restore_best_epoch', [True, False], ['maybe']),
    (TutorialSettings, 'distribution', ['one_device', 'mirrored'], ['none', 'tpu', '', None]),
    (TutorialSettings, 'input', ['memory', 'stream'], ['disk', '', None]),
    (NgramSettings, 'architecture', ['ngram'], ['tutorial', '', None]),
    (NgramSettings, 'max_ngram', [1, 3], [0, 4]),
    (NgramSettings, 'min_ngram_documents', [1, 10_000], [0, 1.5]),
    (NgramSettings, 'svm_cost', [1e-9, 1e6], [0, 1e6 + 1]),
    (NgramSettings, 'fit_to_val', [True, False], ['maybe']),
    (NgramSettings, 'unlabelled_weight', [0, 10], [-0.1, 10.1]),
    (NgramSettings, 'dimensions', [0, 1_024], [-1, 1_025, 0.5]),
    (ModuleSettings, 'architecture', ['module'], ['ngram', '', None]),
    (ModuleSettings, 'output', [None, 'probability', 'logit'], ['score', '']),
    (ModuleSettings, 'epochs', [1, 10_000], [0, 10_001]),
    (ModuleSettings, 'batch_size', [1, 65_536], [0, 65_537, 32.5]),
    (ModuleSettings, 'learning_rate', [1e-9, 10], [0, 10.1]),
    (ModuleSettings, 'restore_best_epoch', [True, False], ['maybe']),
    (ModuleSettings, 'train_steps', [1, 10**9], [0, 1.5]),
    (ModuleSettings, 'eval_steps', [1, 10**9], [0, 1.5]),
    (ModuleSettings, 'config', [{}, {'a': [1, None]}], [None, 'a']),
    (TrainerSettings, 'seed', [0, 2**31 - 1], [-1, 2**31]),
    (
        TrainerSettings,
        'threshold',
        [1e-9, 0.5, math.nextafter(1, 0), 'tuned'],
        [0, 1, -0.1, True, None, 'half', '0.3', math.nan, math.inf, 10**400],
    ),
    (GateSettings, 'min_accuracy', [1e-9, 1], [0, 1.1]),
    (GateSettings, 'max_accuracy_drop', [0, 0.99], [-0.1, 1]),
    (GateSettings, 'min_auc', [math.nextafter(0.5, 1), 1], [0.5, 0, 1.1, None]),
    (GateSettings, 'min_baseline_auc', [0, 1], [-0.1, 1.1, None]),
    (GateSettings, 'max_test_overlap_percent', [0, 100], [-0.1, 100.1, None]),
    (GateSettings, 'min_slice_examples', [1, 1_000_000], [0, 1_000_001, None]),
    (GateSettings, 'small_slices', ['report', 'refuse'], ['ignore', '', None]),
    (GateSettings, 'confidence', [None, math.nextafter(0.5, 1), math.nextafter(1, 0)], [0.5, 1]),
]


def build(settings: type[Settings], **fields: Any) -> Settings:
    required: dict[type[Settings], dict[str, Any]] = {
        GateSettings: GATE,
        TrainerSettings: {'model': {'architecture': 'ngram'}},
    }
    return settings(**(required.get(settings, {}) | fields))


@pytest.mark.parametrize(
    ('settings', 'field', 'value'),
    [(s, field, value) for s, field, allowed, _ in BOUNDS for value in allowed],
)
def test_value_is_accepted_when_it_is_at_its_bound(
    settings: type[Settings], field: str, value: Any
) -> None:
    assert getattr(build(settings, **{field: value}), field) == value


@pytest.mark.parametrize(
    ('settings', 'field', 'value'),
    [(s, field, value) for s, field, _, refused in BOUNDS for value in refused]
    + [
        (s, field, value)
        for s, field, *_ in BOUNDS
        if s.model_fields[field].annotation is float
        for value in (math.nan, math.inf)
    ],
)
def test_error_names_the_field_when_a_value_is_beyond_its_bound(
    settings: type[Settings], field: str, value: Any
) -> None:
    with pytest.raises(pydantic.ValidationError, match=rf'(?m)^{field}$') as caught:
        build(settings, **{field: value})
    assert [error['loc'] for error in caught.value.errors()] == [(field,)]


def test_every_field_has_bounds_in_this_test() -> None:
    fields = {(c, name) for c in CLASSES for name in c.model_fields}
    elsewhere = {
        (GateSettings, 'slices'),
        (GateSettings, 'bounds'),
        (GateSettings, 'eval_config'),
        (TrainerSettings, 'model'),
        (TrainerSettings, 'threshold_aim'),
    }
    assert fields - elsewhere == {(c, name) for c, name, *_ in BOUNDS}


@pytest.mark.parametrize('settings', CLASSES)
def test_settings_are_refused_when_a_field_is_unknown(settings: type[Settings]) -> None:
    with pytest.raises(pydantic.ValidationError, match=r'(?s)epohcs.*not permitted'):
        build(settings, epohcs=3)


def test_settings_are_unchanged_when_code_assigns_to_them() -> None:
    settings = TextSettings()
    with pytest.raises(pydantic.ValidationError, match='frozen'):
        settings.vocab_size = 3  # type: ignore[misc]
    assert settings.vocab_size == 10_000


@pytest.mark.parametrize(
    'settings',
    [
        ColumnSettings(),
        ColumnSettings(split_column='Split', positive_label='スパム', max_rejected_percent=0.1),
        TextSettings(vocab_size=3, min_word_count=2, punctuation='split'),
        *(TrainerSettings.model_validate({'model': {'architecture': a}}) for a in ARCHITECTURES),
        TrainerSettings(model=TutorialSettings(learning_rate=3e-4, input='stream'), seed=2**31 - 1),
        GateSettings.model_validate(GATE | {'slices': {'1-10': 0.7}}),
    ],
    ids=repr,
)
def test_settings_are_equal_when_they_are_read_from_json(settings: Settings) -> None:
    assert type(settings).model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ('written', 'aim'),
    [
        (None, Aim('balanced_accuracy')),
        ('f1', Aim('f1')),
        (' accuracy ', Aim('accuracy')),
        ('binary_accuracy', Aim('accuracy')),
        ('recall at precision 1', Aim('recall', 1.0)),
        ('recall  at precision .80', Aim('recall', 0.8)),
    ],
)
def test_aim_is_parsed_and_kept_when_settings_are_read_from_json(
    written: str | None, aim: Aim
) -> None:
    settings = build(TrainerSettings, threshold='tuned', threshold_aim=written)
    assert isinstance(settings, TrainerSettings)
    assert settings.aim == aim
    assert TrainerSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    'written',
    ['', 'auc', 'recall', 'recall at precision 0', 'recall at precision 1.01', 'f1 at precision 1',
     'recall at precision -0.5', 'recall at precision 80%', 'recall at precision nan'],
)  # fmt: skip
def test_aim_is_refused_when_it_is_unknown(written: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=r'such as recall at precision 0\.8'):
        build(TrainerSettings, threshold='tuned', threshold_aim=written)


@pytest.mark.parametrize('fixed', [{}, {'threshold': 0.3}])
def test_aim_is_refused_when_the_threshold_is_a_number(fixed: dict[str, float]) -> None:
    with pytest.raises(pydantic.ValidationError, match='expected trainer.threshold=tuned') as err:
        build(TrainerSettings, threshold_aim='f1', **fixed)
    assert [error['loc'] for error in err.value.errors()] == [('threshold_aim',)]


@pytest.mark.parametrize(
    ('features', 'message'),
    [
        (['text'], "'text' is the name of a feature that each example has"),
        (['length:int'], "'length' is the name of a feature that each example has"),
        (['review'], "'review' is the text_column"),
        (['verdict'], "'verdict' is the label_column"),
        (['fold'], "'fold' is the split_column"),
        (['stars', 'stars:int'], "'stars' is named twice"),
        (['stars:bool'], 'expected NAME or NAME:TYPE'),
        (['stars:'], 'expected NAME or NAME:TYPE'),
        (['two words'], 'expected NAME or NAME:TYPE'),
        (['5stars'], 'expected NAME or NAME:TYPE'),
        (['größe'], 'expected NAME or NAME:TYPE'),
        ([''], 'expected NAME or NAME:TYPE'),
    ],
)
def test_feature_columns_are_refused_when_a_name_is_taken_or_invalid(
    features: list[str], message: str
) -> None:
    columns = {'text_column': 'review', 'label_column': 'verdict', 'split_column': 'fold'}
    with pytest.raises(pydantic.ValidationError, match=message):
        ColumnSettings(**columns, features=features)
    ColumnSettings(**columns, features=['stars:int', 'price:float', 'product:string', 'age'])


@pytest.mark.parametrize('option', ['text_column', 'label_column', 'split_column'])
def test_group_column_is_refused_when_it_has_another_role(option: str) -> None:
    columns = {'text_column': 'review', 'label_column': 'verdict', 'split_column': 'fold'}
    with pytest.raises(pydantic.ValidationError, match=f'a column other than the {option}'):
        ColumnSettings(**columns, group_column=columns[option])
    assert ColumnSettings(**columns, group_column='film', features=['film']).group_column == 'film'
