"""What is learned from: labels, and vectors and frames of any library."""
