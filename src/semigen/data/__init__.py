"""Labels, row weights, and rows of tables of any library."""
