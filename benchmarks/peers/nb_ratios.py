"""The naive Bayes half of NB-SVM, for a scikit-learn pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import normalize


class NaiveBayesRatios(TransformerMixin, BaseEstimator):
    """Weights the presence of n-grams by the log ratio of their counts in both classes.

    Wang and Manning, "Baselines and Bigrams" (2012), with rows scaled to length 1.
    With p and q the numbers of positive and negative texts that hold an n-gram,
    r = log(((p + 1) / sum(p + 1)) / ((q + 1) / sum(q + 1))).
    """

    def fit(self, presence: Any, labels: Any) -> NaiveBayesRatios:
        """Learn the ratios of a sparse 0/1 matrix `[texts, n-grams]`."""
        positive = np.asarray(labels) == 1
        p = np.asarray(presence[positive].sum(axis=0)).ravel() + 1.0
        q = np.asarray(presence[~positive].sum(axis=0)).ravel() + 1.0
        self.ratios_ = np.log((p / p.sum()) / (q / q.sum()))
        return self

    def transform(self, presence: Any) -> Any:
        """Weight and scale a sparse 0/1 matrix `[texts, n-grams]`."""
        return normalize(presence.multiply(self.ratios_).tocsr(), copy=False)
