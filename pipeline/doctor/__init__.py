"""Checks of the installation, the stored runs, the served model and the data."""
