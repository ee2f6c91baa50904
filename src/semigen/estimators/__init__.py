"""What estimators share, and how any classifier is fitted on partly labeled rows."""
