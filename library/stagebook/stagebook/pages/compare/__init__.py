"""Two commits or experiments side by side."""
