"""Tables and labels as tensors, and the likelihoods of columns."""
