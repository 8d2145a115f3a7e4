"""Every file that one stage writes and another reads: its path, its columns or shapes, and what must hold of it.

`kinds` are the sorts of file (a table, tensors, numbers, a curve, text); the other modules declare a step's files, one module for each
step, so that a change of one reruns no other. Takes data frames and arrays, gives them back checked; writing is atomic, and
the same content has the same bytes.
"""
