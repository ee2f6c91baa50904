"""One EM iteration of semigen and of its peers, on the same rows from the same start."""
