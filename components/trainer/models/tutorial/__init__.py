"""The averaged word vectors of the TensorFlow tutorial "Basic text classification"."""
