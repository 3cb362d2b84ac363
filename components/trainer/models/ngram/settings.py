"""Settings of the n-gram model."""

from __future__ import annotations

from typing import ClassVar, Literal

import pydantic

from components.trainer.models import ARCHITECTURES, ArchitectureSettings


class LinearSettings(ArchitectureSettings):
    """Settings of a linear model of n-grams."""

    run_time_settings: ClassVar[tuple[str, ...]] = ('svm_cost',)

    max_ngram: int = pydantic.Field(3, ge=1, le=3, description='longest n-gram, in words')
    min_ngram_documents: int = pydantic.Field(
        2, ge=1, description='smallest number of texts that an n-gram must be in to be used'
    )
    svm_cost: float = pydantic.Field(
        1.0, gt=0, le=1e6, description="C of the linear SVM: the errors' weight in its objective"
    )
    fit_to_val: bool = pydantic.Field(
        True, description='whether the linear model learns from val, too'
    )
    unlabelled_weight: float = pydantic.Field(
        0.5,
        ge=0,
        le=10,
        description='weight of all texts without a label in the counts of n-grams, relative to '
        'that of the texts with one; 0: they are not read',
    )


class NgramSettings(LinearSettings):
    """A calibrated linear SVM on naive Bayes ratios of n-grams."""

    architecture: Literal['ngram'] = pydantic.Field(
        'ngram', description=f'kind of model: {", ".join(ARCHITECTURES)}'
    )
