"""Training: one loop for all deep models, several members at once, on any device, resumable."""
