"""The Keras layers that the architectures are made of."""
