"""The settings that travel to the workers, validated when they are built.

A node gets its part as JSON through its `custom_config` and parses it back to
the same class, so a worker never sees an unchecked value.
"""

from __future__ import annotations

from typing import Literal

import pydantic

from components.common import features

# Some 200,000 reviews, which one core reads and writes in some ten seconds; gzipped, 130 MB.
DEFAULT_SHARD_MIB = 256


class Settings(pydantic.BaseModel):
    """Base: frozen, keyword-only, and no field that is not declared."""

    model_config = pydantic.ConfigDict(frozen=True, extra='forbid', allow_inf_nan=False)


class ColumnSettings(Settings):
    """Which table columns hold the text and the label, and how rows are split."""

    text_column: str = pydantic.Field('text', min_length=1, description='column with the text')
    label_column: str = pydantic.Field('label', min_length=1, description='column with the label')
    split_column: str | None = pydantic.Field(
        None,
        min_length=1,
        description='column with train, val or test; null: split by file name, or by a hash of '
        'the text',
    )
    positive_label: str | None = pydantic.Field(
        None,
        min_length=1,
        description='label value of the positive class; null: known pairs, such as pos/neg',
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
        description='drop: remove punctuation; split: a sequence of punctuation is one word',
    )
    max_tokens: int = pydantic.Field(
        250,
        ge=1,
        le=100_000,
        description='number of tokens that the model reads from the start of a text',
    )


class GateSettings(Settings):
    """Bounds that a candidate must meet to be blessed.

    The bounds on the accuracy are required, because they depend on the task. The bounds on the AUC
    have defaults, because they only exclude models that are no better than chance.

    Example:
        >>> GateSettings(min_accuracy=0.8, max_accuracy_drop=0.01).min_auc
        0.7
    """

    min_accuracy: float = pydantic.Field(
        gt=0, le=1, description='lowest accuracy on test of a blessed model'
    )
    max_accuracy_drop: float = pydantic.Field(
        ge=0, lt=1, description='largest drop of accuracy below that of the baseline'
    )
    # If nine of ten texts are positive, a model that always predicts positive has an accuracy of
    # 0.9. Its AUC is 0.5 for any share of positives, so the bound must be above 0.5. With balanced
    # labels and normally distributed scores, an accuracy of 0.8 corresponds to an AUC of 0.88. With
    # 20 examples of each label, random scores have an AUC of 0.5 +- 0.18 (2 standard errors).
    min_auc: float = pydantic.Field(
        0.7,
        gt=0.5,
        le=1,
        description='lowest area under the ROC curve (AUC) on test of a blessed model',
    )
    # If the labels of train and test are swapped, the candidate looks good, and only the baseline
    # can show it. The bound is that of random scores: if data has drifted so far that the baseline
    # is poor, the candidate should replace it.
    min_baseline_auc: float = pydantic.Field(
        0.5,
        ge=0,
        le=1,
        description='lowest AUC of the baseline on test; below it, labels may be swapped, and no '
        'model is blessed',
    )
    slices: dict[str, float] = pydantic.Field(
        default_factory=dict,
        description='lowest accuracy by number of words in a text, for example {"1-10": 0.7}; the '
        f'slices are {", ".join(features.LENGTH_BUCKETS)}',
    )

    @pydantic.field_validator('slices')
    @classmethod
    def _known_slices(cls, slices: dict[str, float]) -> dict[str, float]:
        for name, bound in slices.items():
            if name not in features.LENGTH_BUCKETS:
                raise ValueError(
                    f'expected a slice of {", ".join(features.LENGTH_BUCKETS)}, got {name!r}'
                )
            if not 0 < bound <= 1:
                raise ValueError(f'expected a bound in (0, 1] for the slice {name!r}, got {bound}')
        return slices
