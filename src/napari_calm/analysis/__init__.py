"""What a result is worth: simple references and scores."""
