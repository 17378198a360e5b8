"""Number formats of trained weights, and the quantizers that train into them."""
