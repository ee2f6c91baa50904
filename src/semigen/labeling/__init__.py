"""Labeling: a session that asks for the label that teaches most, and the page that people label on."""
