"""Training with quantizers: systems of the literature by name, and one trainer over ``model.fit``."""
