"""How the conversations of a model are written in tokens and pictures."""
