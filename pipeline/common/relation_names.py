"""How the name of a relation is written that is read from its tail to its head: as in SPARQL."""

INVERSE = "^"
