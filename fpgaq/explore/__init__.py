"""What a choice of bits costs and gives: designs of one model, tried side by side."""
