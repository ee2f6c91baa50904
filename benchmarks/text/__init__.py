"""Documents with few labels: 20 Newsgroups, split by date."""
