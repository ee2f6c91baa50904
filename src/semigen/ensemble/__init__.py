"""Classifiers made of several fits: the pool, the safe weight of unlabeled rows, the default."""
