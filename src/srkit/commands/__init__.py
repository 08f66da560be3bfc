"""The commands of the core."""
