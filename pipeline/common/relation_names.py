"""How relations of the knowledge graph are written beside the source's own names."""

# Before one that is read from its tail to its head, as in SPARQL.
INVERSE = "^"
# Those that a model does not tell apart.
ANY_OTHER = "any other relation"
