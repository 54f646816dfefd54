"""The benchmarks: each a script with its last result under `results/`."""
