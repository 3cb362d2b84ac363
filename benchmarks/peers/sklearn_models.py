"""scikit-learn: TF-IDF with logistic regression, and NB-SVM."""

from __future__ import annotations

import pathlib
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from benchmarks.peers import PeerTask
from benchmarks.reviews import shuffled

_MODEL_FILE = 'model.joblib'


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


def make_model(variant: str = '', seed: int = 1) -> Pipeline:
    """Return an untrained model.

    Args:
        variant: `tuned` for settings that suit film reviews, `letters` for scripts
            without spaces, `nb-svm`, or empty for TF-IDF with default settings.
        seed: Seed of NB-SVM.
    """
    if variant == 'nb-svm':
        # The default pattern drops words of one letter, which costs accuracy.
        words = r'(?u)\b\w+\b'
        classifier = make_pipeline(NaiveBayesRatios(), LinearSVC(C=1, dual=True, random_state=seed))
        return make_pipeline(
            CountVectorizer(binary=True, ngram_range=(1, 3), min_df=2, token_pattern=words),
            # Platt's method on out-of-fold scores. Each fold fits the ratios again.
            CalibratedClassifierCV(classifier, cv=3, ensemble=False),
        )
    if variant == 'tuned':
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        return make_pipeline(vectorizer, LogisticRegression(C=10, max_iter=1_000))
    if variant == 'letters':
        vectorizer = TfidfVectorizer(analyzer='char', ngram_range=(1, 3))
    else:
        vectorizer = TfidfVectorizer(ngram_range=(1, 2))
    return make_pipeline(vectorizer, LogisticRegression())


def train(task: PeerTask) -> tuple[list[int], Any]:
    train, test = task.read()
    if task.variant == 'nb-svm':
        train = shuffled(train, task.seed)
    model = make_model(task.variant, task.seed)
    model.fit(train.texts, train.labels)
    probabilities = model.predict_proba(test.texts)[:, 1]
    joblib.dump(model, task.model_dir / _MODEL_FILE)
    return test.labels, probabilities


def load(model_dir: pathlib.Path) -> Any:
    model = joblib.load(model_dir / _MODEL_FILE)
    return lambda texts: model.predict_proba(texts)[:, 1]
