"""What is learned from counts, without gradient steps: NumPy and SciPy."""
