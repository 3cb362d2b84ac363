"""The metadata store, and checks of what runs have written."""
