"""The default mixture against other mixtures and the textbook's discriminant analyses."""
