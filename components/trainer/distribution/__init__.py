"""Training on several devices, or in several processes on as many machines."""
