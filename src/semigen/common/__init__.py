"""Checked parameters, progress reports and threads, for every part of the package."""
