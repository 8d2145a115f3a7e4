"""A view of a user: what one kind of history, likes or dislikes, says about every item of the catalogue (method 6).

Takes item vectors and histories, gives r_c^T W^O u for every item c, exactly leaving out what must not explain itself (method 8).
An attention is a `View` in a module of its own that says everything about itself: its scores, what each entry of a history counts
and contributes, and whether users have vectors. To add one: its name in `names`, its class in `registry`.
"""
