"""Deep models on MNIST with 100 labels, digits and shapes; what their parts are worth; the trainer's cost."""
