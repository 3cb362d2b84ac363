"""The architecture `ngram`: a linear model of n-grams."""
