"""Commands for the machines of a cluster: a Beam worker, and a pool that starts workers."""
