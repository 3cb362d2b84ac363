"""The settings that travel to the workers, validated when they are built.

A node gets its part as JSON through its `custom_config` and parses it back to
the same class, so a worker never sees an unchecked value.
"""

from __future__ import annotations

from typing import Literal

import pydantic

from components.common import features

# Each is a module of components.trainer.models. Named here, so that no node but the Trainer
# depends on their code.
ARCHITECTURES = ('tutorial', 'ngram', 'accurate')
# Of some 200,000 reviews, which one core reads and writes in some ten seconds; packed, 130 MB.
DEFAULT_SHARD_MIB = 256
# Those that are learned by gradient steps alone.
DISTRIBUTED_ARCHITECTURES = ('tutorial',)


class Settings(pydantic.BaseModel):
    """Base: frozen, keyword-only, and no field that is not declared."""

    model_config = pydantic.ConfigDict(frozen=True, extra='forbid', allow_inf_nan=False)


class ColumnSettings(Settings):
    """What is what in a table, and how its rows are split."""

    text_column: str = pydantic.Field('text', min_length=1, description='column with the text')
    label_column: str = pydantic.Field('label', min_length=1, description='column with the label')
    split_column: str | None = pydantic.Field(
        None, min_length=1, description='column with train, val or test; none: a stable hash splits'
    )
    positive_label: str | None = pydantic.Field(
        None, min_length=1, description='the label value that means positive; none: guess'
    )
    test_percent: int = pydantic.Field(
        20, ge=1, le=80, description='share of all rows for test, where the data names none'
    )
    val_percent: int = pydantic.Field(
        20, ge=1, le=80, description='share of the training rows for val, where the data names none'
    )
    use_unlabelled: bool = pydantic.Field(
        True, description='texts without a label are kept, for what can be learned from them'
    )
    max_rejected_percent: float = pydantic.Field(
        1.0, ge=0, le=100, description='share of rows that may be unreadable before the run stops'
    )


class TextSettings(Settings):
    """How a text becomes token ids."""

    vocab_size: int = pydantic.Field(
        10_000, ge=3, le=1_000_000, description='ids in all, padding and unknown word included'
    )
    min_word_count: int = pydantic.Field(
        1, ge=1, description='a word is known if it occurs so often in the training split'
    )
    punctuation: Literal['drop', 'split'] = pydantic.Field(
        'drop', description='drop: not read; split: each run of marks is a word'
    )
    max_tokens: int = pydantic.Field(
        250, ge=1, le=100_000, description='tokens of a text that the model reads, from its start'
    )


class TrainerSettings(Settings):
    """The model and how it is fitted.

    What a field says in brackets is which architectures read it; none: all do.
    """

    architecture: str = pydantic.Field(
        'tutorial', description=f'which model: {", ".join(sorted(ARCHITECTURES))}'
    )
    epochs: int = pydantic.Field(
        10, ge=1, le=10_000, description='passes over the training split (tutorial, accurate)'
    )
    batch_size: int = pydantic.Field(
        32, ge=1, le=65_536, description='examples per step (tutorial, accurate)'
    )
    learning_rate: float = pydantic.Field(
        1e-3, gt=0, le=10, description='step size of Adam (tutorial, accurate)'
    )
    embedding_dim: int = pydantic.Field(
        16, ge=1, le=4_096, description='width of a word vector (tutorial, accurate)'
    )
    dropout: float = pydantic.Field(
        0.2, ge=0, lt=1, description='share of inputs dropped (tutorial, accurate)'
    )
    restore_best_epoch: bool = pydantic.Field(
        False,
        description='keep the weights of the epoch with the lowest val loss, not the last '
        '(tutorial, accurate)',
    )
    max_ngram: int = pydantic.Field(
        3, ge=1, le=3, description='longest n-gram, in words (ngram, accurate)'
    )
    min_ngram_documents: int = pydantic.Field(
        2, ge=1, description='texts that an n-gram must be in to be used (ngram, accurate)'
    )
    svm_cost: float = pydantic.Field(
        1.0, gt=0, le=1e6, description="the linear model's C: price of an error (ngram, accurate)"
    )
    fit_to_val: bool = pydantic.Field(
        True, description='the linear model learns from val, too (ngram, accurate)'
    )
    unlabelled_weight: float = pydantic.Field(
        0.5,
        ge=0,
        le=10,
        description='weight of all texts without a label, against that of those with one, in the '
        'counts of n-grams; 0: they are not read (ngram, accurate)',
    )
    filters: int = pydantic.Field(
        200, ge=1, le=10_000, description='patterns of three words (accurate)'
    )
    networks: int = pydantic.Field(
        2, ge=1, le=20, description='networks with other seeds, whose mean is taken (accurate)'
    )
    network_words: int = pydantic.Field(
        30_000, ge=3, le=1_000_000, description='most frequent words with a vector (accurate)'
    )
    seed: int = pydantic.Field(1, ge=0, lt=2**31, description='of initial weights, dropout, order')
    distribution: Literal['one_device', 'mirrored'] = pydantic.Field(
        'one_device',
        description='one_device, or mirrored: on all GPUs of the machine (tutorial)',
    )
    input: Literal['memory', 'stream'] = pydantic.Field(
        'memory',
        description='memory: read the examples once; stream: read them again in each epoch, for '
        'data that does not fit into memory (tutorial)',
    )

    @pydantic.field_validator('architecture')
    @classmethod
    def _known_architecture(cls, architecture: str) -> str:
        if architecture not in ARCHITECTURES:
            raise ValueError(
                f'no architecture is called {architecture!r}; they are {", ".join(ARCHITECTURES)}'
            )
        return architecture

    @pydantic.model_validator(mode='after')
    def _can_be_distributed(self) -> TrainerSettings:
        for name, value, default in (
            ('distribution', self.distribution, 'one_device'),
            ('input', self.input, 'memory'),
        ):
            if value != default and self.architecture not in DISTRIBUTED_ARCHITECTURES:
                raise ValueError(
                    f'{name} {value} works with the architecture '
                    f'{", ".join(DISTRIBUTED_ARCHITECTURES)}; {self.architecture} is learned from '
                    f'counts of all n-grams, by one process in memory: leave {name} {default}'
                )
        return self


class GateSettings(Settings):
    """Bounds that a candidate must meet to be blessed.

    The bounds on the accuracy are required, because they depend on the task. The bounds on the AUC
    have defaults, because they only exclude models that are no better than chance.

    Example:
        >>> GateSettings(min_accuracy=0.8, max_accuracy_drop=0.01).min_auc
        0.7
    """

    min_accuracy: float = pydantic.Field(
        gt=0, le=1, description='lowest accuracy on test that is blessed'
    )
    max_accuracy_drop: float = pydantic.Field(
        ge=0, lt=1, description='largest drop of accuracy against the baseline that is blessed'
    )
    # If nine of ten texts are positive, a model that always predicts positive has an accuracy of
    # 0.9. Its AUC is 0.5 for any share of positives, so the bound must be above 0.5. With balanced
    # labels and normally distributed scores, an accuracy of 0.8 corresponds to an AUC of 0.88. With
    # 20 examples of each label, random scores have an AUC of 0.5 +- 0.18 (2 standard errors).
    min_auc: float = pydantic.Field(
        0.7,
        gt=0.5,
        le=1,
        description='lowest area under the ROC curve (AUC) on test that is blessed',
    )
    # If the labels of train and test are swapped, the candidate looks good, and only the baseline
    # can show it. The bound is that of random scores: if data has drifted so far that the baseline
    # is poor, the candidate should replace it.
    min_baseline_auc: float = pydantic.Field(
        0.5,
        ge=0,
        le=1,
        description='lowest AUC of the baseline on test; if it is lower, labels may be swapped, '
        'and nothing is blessed',
    )
    slices: dict[str, float] = pydantic.Field(
        default_factory=dict,
        description='lowest accuracy by number of words, for example {"1-10": 0.7}; slices are '
        f'{", ".join(features.LENGTH_BUCKETS)}',
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
