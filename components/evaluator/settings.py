"""Settings of the gate, which decides whether a candidate is blessed."""

from __future__ import annotations

import pydantic

from components.common import features
from components.common.settings import Settings


class GateSettings(Settings):
    """Bounds that a candidate must meet to be blessed.

    The bounds on the accuracy depend on the task, so each preset sets them. The bounds on the AUC
    have defaults, because they only exclude models that are no better than chance.

    Example:
        >>> GateSettings(min_accuracy=0.8, max_accuracy_drop=0.01).min_auc
        0.7
    """

    min_accuracy: float = pydantic.Field(
        gt=0, le=1, description='lowest accuracy that a blessed model can have on test'
    )
    max_accuracy_drop: float = pydantic.Field(
        ge=0, lt=1, description='largest drop in accuracy from the baseline'
    )
    # If nine of ten texts are positive, a model that always predicts positive has an accuracy of
    # 0.9. Its AUC is 0.5 for any share of positives, so the bound must be above 0.5. With balanced
    # labels and normally distributed scores, an accuracy of 0.8 corresponds to an AUC of 0.88. With
    # 20 examples of each label, random scores have an AUC of 0.5 +- 0.18 (2 standard errors).
    min_auc: float = pydantic.Field(
        0.7,
        gt=0.5,
        le=1,
        description='lowest area under the ROC curve (AUC) that a blessed model can have on test',
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
    # A model may have learned the labels of texts that it knows. A share s of such texts lifts an
    # accuracy a by at most s * (1 - a). So 5% lift 0.80 by at most 0.01, which is the largest drop
    # that is allowed by default. Of IMDB's official test split, 0.5% are in train or val.
    max_test_overlap_percent: float = pydantic.Field(
        5.0,
        ge=0,
        le=100,
        description='largest percentage of the texts of test that are also in train or val; 100: '
        'no bound',
    )
    slices: dict[str, float] = pydantic.Field(
        default_factory=dict,
        description='lowest accuracy by number of words in a text, for example {"1-10": 0.7}; the '
        f'slices are {", ".join(features.LENGTH_BUCKETS)}',
    )

    eval_config: str | None = pydantic.Field(
        None,
        min_length=1,
        description='file with a TFMA EvalConfig (JSON or text proto); with it, TFMA evaluates and '
        'validates, and no other setting of the gate applies except min_baseline_auc and '
        'max_test_overlap_percent',
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
