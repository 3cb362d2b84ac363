"""Settings of the gate, which decides whether a candidate is blessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import pydantic

from components.common import features
from components.common.settings import Settings
from components.evaluator.bounds import Bound, check_bounds
from components.evaluator.metric_table import ACCURACY, AUC, BoundKind
from components.evaluator.slice_patterns import SlicePattern, parse_slice

# The bounds that have a setting of their own.
_SHORT_FORMS: dict[tuple[str, BoundKind], str] = {
    (ACCURACY, 'min'): 'min_accuracy',
    (ACCURACY, 'max_drop'): 'max_accuracy_drop',
    (AUC, 'min'): 'min_auc',
}
# A lowest accuracy, or bounds by metric; one error message names the one that was given.
SliceBounds = Annotated[
    Annotated[float, pydantic.Tag('number')] | Annotated[dict[str, Bound], pydantic.Tag('metrics')],
    pydantic.Discriminator(lambda value: 'metrics' if isinstance(value, dict) else 'number'),
]


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
    bounds: dict[str, Bound] = pydantic.Field(
        default_factory=dict,
        description='further bounds by metric, each with min, max, max_drop or max_rise, for '
        'example {"recall": {"min": 0.7, "max_drop": 0.02}}',
    )
    slices: dict[str, SliceBounds] = pydantic.Field(
        default_factory=dict,
        description='bounds by slice, for example {"1-10": 0.7, "product": {"recall": {"min": '
        '0.6}}, "length, product=tea": {}}; a number is the lowest accuracy, and {} only reports; '
        f'the ranges of words are {", ".join(features.LENGTH_BUCKETS)}',
    )
    # With 30 texts, the 95% interval of an accuracy of 0.8 is 0.63 to 0.90 (Wilson, 1927), and one
    # text changes it by 0.03. With fewer, chance decides about a bound.
    min_slice_examples: int = pydantic.Field(
        30,
        ge=1,
        le=1_000_000,
        description='smallest number of texts of a slice that bounds apply to; values of a column '
        'with fewer texts are gathered as (other)',
    )
    small_slices: Literal['report', 'refuse'] = pydantic.Field(
        'report',
        description='report: a slice with fewer texts is shown, and its bounds do not apply; '
        'refuse: its bounds are not met',
    )
    # Off by default: with it, a model that is as good as the bound, or as the baseline, is
    # refused, unless the test split is large.
    confidence: float | None = pydantic.Field(
        None,
        gt=0.5,
        lt=1,
        description='level of the intervals, such as 0.95, whose worse end must meet each bound; '
        'null: the value itself must',
    )

    eval_config: str | None = pydantic.Field(
        None,
        min_length=1,
        description='file with a TFMA EvalConfig (JSON or text proto); with it, TFMA evaluates and '
        'validates, and no other setting of the gate applies except min_baseline_auc and '
        'max_test_overlap_percent',
    )

    @pydantic.field_validator('bounds')
    @classmethod
    def _usable_bounds(cls, bounds: dict[str, Bound]) -> dict[str, Bound]:
        found = check_bounds(bounds)
        for (metric, field), setting in _SHORT_FORMS.items():
            if metric in found and field in found[metric].fields():
                raise ValueError(f'{field} of {metric!r} is the setting {setting}: use that')
        return found

    @pydantic.field_validator('slices')
    @classmethod
    def _usable_slices(
        cls, slices: dict[str, float | Mapping[str, Bound]]
    ) -> dict[str, float | Mapping[str, Bound]]:
        seen: dict[SlicePattern, str] = {}
        found: dict[str, float | Mapping[str, Bound]] = {}
        for name, bounds in slices.items():
            pattern = parse_slice(name)
            if pattern in seen:
                raise ValueError(f'{seen[pattern]!r} and {name!r} are the same slice')
            seen[pattern] = name
            if isinstance(bounds, Mapping):
                try:
                    found[name] = check_bounds(bounds)
                except ValueError as err:
                    raise ValueError(f'slice {name!r}: {err}') from err
            elif not 0 < bounds <= 1:
                raise ValueError(f'expected a bound in (0, 1] for the slice {name!r}, got {bounds}')
            else:
                found[name] = bounds
        return found

    def overall_bounds(self) -> dict[str, Bound]:
        """Return the bounds on the whole test split by metric, those with own settings included.

        Example:
            >>> GateSettings(min_accuracy=0.8, max_accuracy_drop=0.01).overall_bounds()['auc']
            Bound(min=0.7, max=None, max_drop=None, max_rise=None)
        """
        found: dict[str, dict[BoundKind, float]] = {ACCURACY: {}, AUC: {}}
        for (metric, field), setting in _SHORT_FORMS.items():
            found[metric][field] = getattr(self, setting)
        for metric, bound in self.bounds.items():
            found.setdefault(metric, {}).update(bound.fields())
        return {metric: Bound(**fields) for metric, fields in found.items()}

    def slice_bounds(self) -> Iterator[tuple[SlicePattern, Mapping[str, Bound]]]:
        """Yield the slices of the setting `slices` with their bounds by metric."""
        for name, bounds in self.slices.items():
            of_slice = bounds if isinstance(bounds, dict) else {ACCURACY: Bound(min=bounds)}
            yield parse_slice(name), of_slice

    def slice_columns(self) -> set[str]:
        """Return the columns that the setting `slices` names, without the length.

        Example:
            >>> gate = {'min_accuracy': 0.8, 'max_accuracy_drop': 0.01, 'slices': {'a, length': {}}}
            >>> GateSettings.model_validate(gate).slice_columns()
            {'a'}
        """
        columns = {column for pattern, _ in self.slice_bounds() for column in pattern.columns}
        return columns - {features.LENGTH_KEY}
