"""The user's own module: finding it without importing it, loading it on a worker, its errors."""
