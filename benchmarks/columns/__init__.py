"""Every kind of column: holes, mixed columns, outliers, shifted class proportions, and what holes cost."""
