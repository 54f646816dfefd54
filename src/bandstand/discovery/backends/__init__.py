"""Where addresses come from, one module per source."""
