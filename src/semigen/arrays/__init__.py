"""Numerics: the only place that knows which array library computes."""
