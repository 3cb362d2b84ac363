"""The table of metrics that gate, terminal, report and model card share.

To add a metric, add a row to `METRICS`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from components.evaluator.estimation.totals import Totals

Ends = tuple[float, float]  # lower and upper end of an interval
Direction = Literal['higher is better', 'lower is better', '1 is best', '']
BoundKind = Literal['min', 'max', 'max_drop', 'max_rise']

ACCURACY = 'binary_accuracy'
LOSS = 'loss'
AUC = 'auc'
AUC_PRECISION_RECALL = 'auc_precision_recall'
PRECISION = 'precision'
RECALL = 'recall'
SPECIFICITY = 'specificity'
F1 = 'f1'
BALANCED_ACCURACY = 'balanced_accuracy'
CALIBRATION = 'calibration'
CALIBRATION_ERROR = 'expected_calibration_error'
EXAMPLE_COUNT = 'example_count'
# Of the data, not of a model.
TEST_OVERLAP = 'test_overlap_percent'

# Comes before the name of a metric in checks of the baseline's metrics.
BASELINE_PREFIX = 'baseline_'


def _unknown(totals: Totals) -> tuple[float, float]:
    return math.nan, 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of the gate.

    Attributes:
        name: Its name in settings, JSON and TFMA's files.
        label: Its name in texts and tables.
        direction: Which values are better.
        meaning: One sentence that explains the metric.
        ratio: Returns numerator and denominator of the metric for the totals of a slice.
        highest: Highest value that the metric can have; the lowest is 0.
        number_format: How a value is shown, as for `format`.
        in_summary: Whether the summary in the terminal shows the metric if it has no bound.
    """

    name: str
    label: str
    direction: Direction
    meaning: str
    ratio: Callable[[Totals], tuple[float, float]] = _unknown
    highest: float = 1.0
    number_format: str = '.4f'
    in_summary: bool = True

    def compute(self, totals: Totals) -> float:
        """Compute the metric; NaN if it is undefined, or if an example has no valid score."""
        # The number of examples is defined for any scores.
        if totals.unscored and self.name != EXAMPLE_COUNT:
            return math.nan
        numerator, denominator = self.ratio(totals)
        return float(numerator / denominator) if denominator else math.nan

    @property
    def bound_kinds(self) -> tuple[BoundKind, ...]:
        """The bounds that make sense for the metric.

        `min` and `max` bound the value, in [0, `highest`]. `max_drop` and `max_rise` bound how
        much worse the candidate may be than the baseline.

        Example:
            >>> find_metric('loss').bound_kinds
            ('max', 'max_rise')
        """
        kinds: dict[Direction, tuple[BoundKind, ...]] = {
            'higher is better': ('min', 'max_drop'),
            'lower is better': ('max', 'max_rise'),
            '1 is best': ('min', 'max'),
            '': (),
        }
        return kinds[self.direction]

    def distance_from_best(self, value: float) -> float:
        """Return a number that is smaller for better values.

        Example:
            >>> find_metric('calibration').distance_from_best(0.75)
            0.25
        """
        if self.direction == '1 is best':
            return abs(value - 1)
        return value if self.direction == 'lower is better' else -value


def _f1(totals: Totals) -> tuple[float, float]:
    (_, false_positives), (false_negatives, true_positives) = totals.confusion.tolist()
    return 2 * true_positives, 2 * true_positives + false_positives + false_negatives


def _balanced_accuracy(totals: Totals) -> tuple[float, float]:
    (true_negatives, false_positives), (false_negatives, true_positives) = totals.confusion.tolist()
    negatives, positives = true_negatives + false_positives, false_negatives + true_positives
    return true_positives * negatives + true_negatives * positives, 2 * positives * negatives


METRICS = (
    Metric(
        name=ACCURACY,
        label='accuracy',
        direction='higher is better',
        meaning='Share of the texts that are classified correctly.',
        ratio=lambda totals: (totals.confusion.trace(), totals.confusion.sum()),
    ),
    Metric(
        name=LOSS,
        label='loss',
        direction='lower is better',
        meaning='Mean cross-entropy of the predicted probabilities.',
        ratio=lambda totals: (totals.loss, totals.confusion.sum()),
        highest=math.inf,
    ),
    Metric(
        name=AUC,
        label='AUC',
        direction='higher is better',
        meaning='Probability that a positive text has a higher score than a negative one.',
        ratio=lambda totals: totals.ordered_pairs(),
    ),
    Metric(
        name=PRECISION,
        label='precision',
        direction='higher is better',
        meaning='Share of the texts predicted positive that are positive.',
        ratio=lambda totals: (totals.confusion[1, 1], totals.confusion[:, 1].sum()),
    ),
    Metric(
        name=RECALL,
        label='recall',
        direction='higher is better',
        meaning='Share of the positive texts that are predicted positive.',
        ratio=lambda totals: (totals.confusion[1, 1], totals.confusion[1].sum()),
    ),
    Metric(
        name=SPECIFICITY,
        label='specificity',
        direction='higher is better',
        meaning='Share of the negative texts that are predicted negative.',
        ratio=lambda totals: (totals.confusion[0, 0], totals.confusion[0].sum()),
        in_summary=False,
    ),
    Metric(
        name=F1,
        label='F1',
        direction='higher is better',
        meaning='Harmonic mean of precision and recall.',
        ratio=_f1,
        in_summary=False,
    ),
    Metric(
        name=BALANCED_ACCURACY,
        label='balanced accuracy',
        direction='higher is better',
        meaning='Mean of recall and specificity.',
        ratio=_balanced_accuracy,
        in_summary=False,
    ),
    Metric(
        name=AUC_PRECISION_RECALL,
        label='precision-recall AUC',
        direction='higher is better',
        meaning='Precision, averaged over all values of the recall.',
        ratio=lambda totals: totals.precision_recall_area(),
        in_summary=False,
    ),
    Metric(
        name=CALIBRATION,
        label='calibration',
        direction='1 is best',
        meaning='Sum of the predicted probabilities divided by the number of positive texts.',
        ratio=lambda totals: (totals.predictions, totals.confusion[1].sum()),
        highest=math.inf,
    ),
    Metric(
        name=CALIBRATION_ERROR,
        label='expected calibration error',
        direction='lower is better',
        meaning='Mean difference between predicted probabilities and observed shares.',
        ratio=lambda totals: (totals.calibration_error, totals.confusion.sum()),
    ),
    Metric(
        name=EXAMPLE_COUNT,
        label='examples',
        direction='',
        meaning='Number of texts.',
        ratio=lambda totals: (totals.examples, 1),
        highest=math.inf,
        number_format=',.0f',
        in_summary=False,
    ),
)
_OVERLAP = Metric(
    name=TEST_OVERLAP,
    label='percent of test in train or val',
    direction='lower is better',
    highest=100.0,
    meaning='Percentage of the texts of test that are also in train or val.',
    number_format='.4g',
    in_summary=False,
)
_BY_NAME = {metric.name: metric for metric in (*METRICS, _OVERLAP)}
KNOWN_METRICS = frozenset(_BY_NAME)


def find_metric(name: str) -> Metric:
    """Return the row of a metric; an unknown metric gets a row with its name as label.

    Example:
        >>> find_metric('auc').label
        'AUC'
        >>> find_metric('baseline_auc').label
        'AUC of the baseline'
    """
    if name.startswith(BASELINE_PREFIX):
        metric = find_metric(name.removeprefix(BASELINE_PREFIX))
        return dataclasses.replace(metric, name=name, label=f'{metric.label} of the baseline')
    return _BY_NAME.get(name) or Metric(name=name, label=name, direction='', meaning='')


def format_metric(name: str, value: float | None, missing: str = '-') -> str:
    """Return the value of a metric as text, or `missing` if there is none.

    Example:
        >>> format_metric('auc', 0.97512)
        '0.9751'
    """
    return missing if value is None else format(value, find_metric(name).number_format)


def format_slice(name: str) -> str:
    """Return the name of a slice as text.

    Example:
        >>> format_slice('length=1-10'), format_slice('length=1-10, product=toaster')
        ('1-10 words', '1-10 words, product=toaster')
    """
    prefix = 'length='
    return ', '.join(
        f'{part.removeprefix(prefix)} words' if part.startswith(prefix) else part
        for part in name.split(', ')
    )


def is_by_length(name: str) -> bool:
    """Return whether a slice has the texts of a number of words."""
    return name.startswith('length=') and ',' not in name


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """The result of one bound of the gate.

    Attributes:
        metric: Name of the metric; it begins with `BASELINE_PREFIX` if the
            bound is on the baseline.
        slice: Empty for the whole test split, otherwise for example `length=11-50`.
        value: Measured value, None if it is missing.
        bound: The bound as text, for example `>= 0.8000`.
        passed: Whether the value meets the bound.
        hint: What to do if the value does not meet the bound; may be empty.
        judged: The end of the interval that was compared with the bound, None if the
            value itself was. For a bound on the change, the end of its interval plus the
            value of the baseline.
        skipped: Why the bound does not apply, for example because the slice has few
            texts. `passed` is true then, and the verdict does not depend on the check.
    """

    metric: str
    slice: str
    value: float | None
    bound: str
    passed: bool
    hint: str = ''
    judged: float | None = None
    skipped: str = ''

    @property
    def label(self) -> str:
        """Metric and slice as text, for example `accuracy, 11-50 words`."""
        label = find_metric(self.metric).label
        return f'{label}, {format_slice(self.slice)}' if self.slice else label


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetricChange:
    """A metric of the candidate minus that of the baseline, on the same texts.

    Attributes:
        change: The difference, None if one of the two is undefined.
        low: Lower end of the interval of the difference, None if it is undefined.
        high: Upper end of the interval.
        verdict: `no difference` if this test split cannot show one; empty if the
            difference is undefined.
    """

    change: float | None
    low: float | None = None
    high: float | None = None
    verdict: Literal['better', 'worse', 'no difference', ''] = ''
