"""The CalM model: tokenizer, dynamics, heads, forecast, checkpoints."""
