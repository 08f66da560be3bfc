"""Losses: what training makes small; also the distances that validation measures."""
