"""What the benchmarks of events share: their servers, their event, and the limit that the broker sets."""
