"""Measures the pipeline against its peers, and how it grows with the data."""
