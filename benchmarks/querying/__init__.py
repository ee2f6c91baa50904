"""Which rows to label next: learning curves of strategies with the same classifier."""
