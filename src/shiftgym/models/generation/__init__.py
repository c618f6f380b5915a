"""How a model answers: the fast path and the plain one, the choice between them, and decode steps."""
