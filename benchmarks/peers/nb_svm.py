"""scikit-learn: NB-SVM on the presence of 1- to 3-grams.

The probability comes from Platt's logistic fit on out-of-fold scores. Each fold fits
ratios and classifier again.
"""

from __future__ import annotations

import argparse

import joblib
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from benchmarks.peers.nb_ratios import NaiveBayesRatios
from benchmarks.peers.report import parse, report
from benchmarks.peers.sklearn_tfidf import MODEL_FILE
from benchmarks.reviews import read_splits, shuffled


def main() -> None:
    arguments = parse(argparse.ArgumentParser())
    splits = read_splits(arguments.archive)
    train = shuffled(splits['train'], arguments.seed)
    classifier = make_pipeline(
        NaiveBayesRatios(), LinearSVC(C=1, dual=True, random_state=arguments.seed)
    )
    model = make_pipeline(
        # The default pattern drops words of one letter, which costs accuracy.
        CountVectorizer(binary=True, ngram_range=(1, 3), min_df=2, token_pattern=r'(?u)\b\w+\b'),
        CalibratedClassifierCV(classifier, cv=3, ensemble=False),
    )
    model.fit(train.texts, train.labels)
    probabilities = model.predict_proba(splits['test'].texts)[:, 1]
    joblib.dump(model, arguments.model_dir / MODEL_FILE)
    report(splits['test'].labels, probabilities, arguments.model_dir)


if __name__ == '__main__':
    main()
