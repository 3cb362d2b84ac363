"""The settings that travel to the workers, validated when they are built.

A node gets its part as JSON through its `custom_config` and parses it back to
the same class, so a worker never sees an unchecked value.
"""

from __future__ import annotations

import codecs
import functools
import re
from typing import Any, Literal, get_args

import pydantic

from components.common import features as reserved

# Some 200,000 reviews, which one core reads and writes in some ten seconds; gzipped, 130 MB.
DEFAULT_SHARD_MIB = 256

# Whose executors run in the nodes: those of this project, or TFX's own.
Executors = Literal['fast', 'stock']

FeatureType = Literal['int', 'float', 'string']
# From the narrowest: each type has the values of those before it.
FEATURE_TYPES: tuple[FeatureType, ...] = get_args(FeatureType)
# How quotes in .csv and .tsv files are read.
Quoting = Literal['auto', 'minimal', 'none']
_WHOLE_NUMBER = re.compile(r'([+-]?)0*([0-9]+)(?:\.0*)?')
_FEATURE = re.compile(rf'([A-Za-z][A-Za-z0-9_]*)(:({"|".join(FEATURE_TYPES)}))?')


class Settings(pydantic.BaseModel):
    """Base: frozen, keyword-only, and no field that is not declared."""

    model_config = pydantic.ConfigDict(frozen=True, extra='forbid', allow_inf_nan=False)


# Each row has a label, and few have a spelling of their own.
@functools.lru_cache(maxsize=100)
def canonical_label(label: str) -> str:
    """Return what all spellings of a label have in common.

    >>> [canonical_label(label) for label in (' 5.0', '5', 'Positive ', '-1.0', 'v1.0')]
    ['5', '5', 'positive', '-1', 'v1.0']
    """
    folded = label.strip().casefold()
    number = _WHOLE_NUMBER.fullmatch(folded)
    if number is None:
        return folded
    sign, digits = number.groups()
    return f'-{digits}' if sign == '-' and digits != '0' else digits


class LabelSettings(Settings):
    """Which labels are positive, which are negative, and which rows are left out."""

    positive: tuple[str, ...] = pydantic.Field(
        (), description='label values of the positive class; empty: all that are not negative'
    )
    negative: tuple[str, ...] = pydantic.Field(
        (), description='label values of the negative class; empty: all that are not positive'
    )
    drop: tuple[str, ...] = pydantic.Field((), description='label values of rows that are left out')

    @pydantic.field_validator('positive', 'negative', 'drop', mode='before')
    @classmethod
    def _as_text(cls, labels: Any) -> Any:
        # In YAML, 5 is a number, and true a boolean.
        if not isinstance(labels, list | tuple):
            return labels
        return tuple(
            str(label).lower()
            if isinstance(label, bool)
            else str(label)
            if isinstance(label, int | float)
            else label
            for label in labels
        )

    @pydantic.model_validator(mode='after')
    def _named_once(self) -> LabelSettings:
        labels = [canonical_label(label) for label in (*self.positive, *self.negative, *self.drop)]
        if not all(labels):
            raise ValueError('expected labels that are not empty')
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f'the label {twice[0]!r} is listed twice')
        return self


class ColumnSettings(Settings):
    """How tables are read: the format of the files, the columns, and how rows are split."""

    encoding: str = pydantic.Field(
        'utf-8', description='encoding of text files, such as utf-8, windows-1252 or utf-16'
    )
    delimiter: str | None = pydantic.Field(
        None,
        min_length=1,
        max_length=1,
        description='character between the fields of .csv and .tsv files, or tab; null: found by '
        'content',
    )
    quoting: Quoting = pydantic.Field(
        'auto',
        description='minimal: quotes enclose fields of .csv and .tsv files; none: quotes are text; '
        'auto: found by content',
    )
    header: bool = pydantic.Field(
        True, description='whether the first line of .csv and .tsv files has the column names'
    )
    text_column: str = pydantic.Field('text', min_length=1, description='column with the text')
    label_column: str = pydantic.Field('label', min_length=1, description='column with the label')
    split_column: str | None = pydantic.Field(
        None,
        min_length=1,
        description='column with train, val or test; null: split by file name, or by a hash of '
        'the text',
    )
    group_column: str | None = pydantic.Field(
        None,
        min_length=1,
        description='column, such as the film or the author, whose rows with the same value share '
        'a split if a hash splits them; null: only equal texts do',
    )
    positive_label: str | None = pydantic.Field(
        None,
        min_length=1,
        description='label value of the positive class; null: known pairs, such as pos/neg',
    )
    labels: LabelSettings = LabelSettings()
    features: tuple[str, ...] = pydantic.Field(
        (),
        description='further columns, which become features of the examples: NAME, or NAME:TYPE '
        'with the type int, float or string',
    )
    test_percent: int = pydantic.Field(
        20, ge=1, le=80, description='percentage of all rows for test, if the data has no splits'
    )
    val_percent: int = pydantic.Field(
        20,
        ge=1,
        le=80,
        description='percentage of the training rows for val, if the data has no val',
    )
    use_unlabelled: bool = pydantic.Field(
        True, description='whether the model also learns from texts without a label'
    )
    max_rejected_percent: float = pydantic.Field(
        1.0,
        ge=0,
        le=100,
        description='largest percentage of rejected rows; above it, the run stops',
    )

    @property
    def positive_labels(self) -> tuple[str, ...]:
        """The label values of the positive class, none if they are not listed."""
        return self.labels.positive or ((self.positive_label,) if self.positive_label else ())

    @pydantic.model_validator(mode='after')
    def _one_list_of_positive_labels(self) -> ColumnSettings:
        if self.labels.positive and self.positive_label is not None:
            raise ValueError('expected positive_label or labels.positive, got both')
        return self

    @pydantic.field_validator('encoding')
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            b'\0\0\0\0'.decode(encoding)
            name = codecs.lookup(encoding).name
        except (LookupError, ValueError) as err:
            raise ValueError('expected the name of a text encoding that Python knows') from err
        if name in ('idna', 'punycode', 'unicode-escape', 'raw-unicode-escape'):
            raise ValueError('expected an encoding of files')
        return name

    @pydantic.field_validator('delimiter', mode='before')
    @classmethod
    def _named_delimiter(cls, delimiter: object) -> object:
        return '\t' if delimiter in ('tab', 'TAB', r'\t') else delimiter

    @pydantic.field_validator('delimiter')
    @classmethod
    def _usable_delimiter(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and delimiter in '"\\\r\n\0':
            raise ValueError('expected a character other than a quote, a backslash or a line break')
        return delimiter

    @pydantic.field_validator('group_column')
    @classmethod
    def _own_column(cls, column: str | None, info: pydantic.ValidationInfo) -> str | None:
        for option in ('text_column', 'label_column', 'split_column'):
            if column is not None and column == info.data.get(option):
                raise ValueError(f'expected a column other than the {option}')
        return column

    @pydantic.field_validator('features')
    @classmethod
    def _valid_features(
        cls, features: tuple[str, ...], info: pydantic.ValidationInfo
    ) -> tuple[str, ...]:
        taken = dict.fromkeys(
            (reserved.TEXT_KEY, reserved.LABEL_KEY, reserved.LENGTH_KEY),
            'the name of a feature that each example has',
        )
        for option in ('split_column', 'label_column', 'text_column'):
            taken[str(info.data.get(option))] = f'the {option}'
        for feature in features:
            match = _FEATURE.fullmatch(feature)
            if match is None:
                raise ValueError(
                    'expected NAME or NAME:TYPE, where NAME has ASCII letters, digits and _, and '
                    f'TYPE is one of {", ".join(FEATURE_TYPES)}'
                )
            if match[1] in taken:
                raise ValueError(f'{match[1]!r} is {taken[match[1]]}')
            taken[match[1]] = 'named twice'
        return features


class TextSettings(Settings):
    """How a text becomes token ids."""

    vocab_size: int = pydantic.Field(
        10_000,
        ge=3,
        le=1_000_000,
        description='largest number of token ids, including those of padding and unknown words',
    )
    min_word_count: int = pydantic.Field(
        1,
        ge=1,
        description='smallest number of occurrences of a known word in the training split',
    )
    punctuation: Literal['drop', 'split'] = pydantic.Field(
        'drop',
        description='drop: remove punctuation; split: a sequence of punctuation is one word, '
        'and so is each emoji or symbol',
    )
    max_tokens: int = pydantic.Field(
        250,
        ge=1,
        le=100_000,
        description='number of tokens that the model reads from the start of a text; the rest is '
        'ignored',
    )
