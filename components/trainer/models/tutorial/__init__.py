"""The architecture `tutorial`: averaged word vectors."""
