"""What the management commands `events` and `deadletters` share: options, output, and the queries behind them."""
