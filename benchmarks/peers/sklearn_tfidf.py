"""scikit-learn: TF-IDF of words and bigrams, and logistic regression."""

from __future__ import annotations

import argparse

import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks.peers.report import parse, report
from benchmarks.reviews import read_splits

MODEL_FILE = 'model.joblib'


def main() -> None:
    """Train, test, save."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--tuned', action='store_true', help='min_df 2, sublinear, C 10')
    arguments = parse(parser)
    splits = read_splits(arguments.archive)
    if arguments.options.tuned:
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        classifier = LogisticRegression(C=10, max_iter=1_000)
    else:
        vectorizer = TfidfVectorizer(ngram_range=(1, 2))
        classifier = LogisticRegression()
    model = make_pipeline(vectorizer, classifier)
    model.fit(splits['train'].texts, splits['train'].labels)
    probabilities = model.predict_proba(splits['test'].texts)[:, 1]
    joblib.dump(model, arguments.model_dir / MODEL_FILE)
    report(splits['test'].labels, probabilities, arguments.model_dir)


if __name__ == '__main__':
    main()
