"""The n-gram model, and small convolutional networks that correct it."""
