"""Holds the two stacks against each other: metrics, models and compiled pipelines."""
