"""scikit-learn: TF-IDF of words and bigrams, and logistic regression."""

from __future__ import annotations

import argparse

import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from benchmarks.peers.report import parse, report
from benchmarks.reviews import read_splits

MODEL_FILE = 'model.joblib'


def make_default() -> Pipeline:
    """Return the pipeline with default settings."""
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())


def make_tuned() -> Pipeline:
    """Return the pipeline with settings that suit film reviews."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    return make_pipeline(vectorizer, LogisticRegression(C=10, max_iter=1_000))


def make_of_letters() -> Pipeline:
    """Return a pipeline for scripts without spaces, of 1- to 3-grams of letters."""
    vectorizer = TfidfVectorizer(analyzer='char', ngram_range=(1, 3))
    return make_pipeline(vectorizer, LogisticRegression())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--tuned', action='store_true', help='min_df 2, sublinear, C 10')
    arguments = parse(parser)
    splits = read_splits(arguments.archive)
    model = make_tuned() if arguments.options.tuned else make_default()
    model.fit(splits['train'].texts, splits['train'].labels)
    probabilities = model.predict_proba(splits['test'].texts)[:, 1]
    joblib.dump(model, arguments.model_dir / MODEL_FILE)
    report(splits['test'].labels, probabilities, arguments.model_dir)


if __name__ == '__main__':
    main()
