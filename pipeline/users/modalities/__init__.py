"""What items are known by, a module each: text, structure, id, entities (method 1 and 5), and vectors that were there before.

Takes `ItemInputs`, what is known of items before training; gives of each modality a vector for every item, which `fusion` makes one of.
A modality is a `ModalityVectors` that says what it needs, how wide it is and how it becomes vectors. To add one: its module,
its class in `registry` and its name in `names`.
"""
