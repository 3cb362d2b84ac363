"""Settings of the n-gram model."""

from __future__ import annotations

from typing import ClassVar, Literal

import pydantic

from components.trainer.models import ARCHITECTURES, ArchitectureSettings


class NgramSettings(ArchitectureSettings):
    """A calibrated linear SVM on naive Bayes ratios of n-grams, and document vectors."""

    run_time_settings: ClassVar[tuple[str, ...]] = ('svm_cost',)

    architecture: Literal['ngram'] = pydantic.Field(
        'ngram', description=f'architecture of the model: {", ".join(ARCHITECTURES)}'
    )
    max_ngram: int = pydantic.Field(
        3, ge=1, le=3, description='number of words in the longest n-grams'
    )
    min_ngram_documents: int = pydantic.Field(
        2, ge=1, description='lowest number of texts in which an n-gram must occur'
    )
    svm_cost: float = pydantic.Field(
        1.0,
        gt=0,
        le=1e6,
        description='parameter C of the linear SVM; lower values regularise more',
    )
    fit_to_val: bool = pydantic.Field(
        True, description='whether the linear model also learns from val'
    )
    unlabelled_weight: float = pydantic.Field(
        0.5,
        ge=0,
        le=10,
        description='weight of all unlabelled texts together in the counts of n-grams; the '
        'labelled texts together weigh 1; 0: unlabelled texts are not used',
    )
    dimensions: int = pydantic.Field(
        0,
        ge=0,
        le=1_024,
        description='width of the document vectors that correct the linear model; 0: none',
    )
