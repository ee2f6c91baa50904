"""Models, tables and images as files."""
