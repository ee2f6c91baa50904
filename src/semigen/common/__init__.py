"""What every room may use: checked parameters, progress, threads."""
