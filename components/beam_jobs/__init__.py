"""Runs the Beam jobs of the nodes, in this process or on a service."""
