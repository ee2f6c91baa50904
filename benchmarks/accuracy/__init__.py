"""The protocol of the baselines, run for semigen's models."""
