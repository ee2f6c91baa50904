"""Reports of a fit: one record that JSON can hold, and one HTML page made of it."""
