"""Who gets in, and from where."""
