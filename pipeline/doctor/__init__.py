"""Looks at the installation, at what runs keep, at what is served and at the data."""
