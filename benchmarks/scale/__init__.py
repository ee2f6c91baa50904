"""What AutoClassifier costs: seconds, memory and predictions a second, by size of the table."""
