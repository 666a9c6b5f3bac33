"""Training the tokenizer, then the dynamics."""
