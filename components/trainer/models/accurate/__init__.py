"""The architecture `accurate`: the n-gram model with networks that correct it."""
