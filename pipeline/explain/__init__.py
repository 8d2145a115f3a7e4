"""Why an item is recommended: what each item of a person's history adds to the score.

Scores are sums over the views' histories, so that contributions add up to the score: score = sum_j contribution_j + biases. Takes a
model, people and items; gives the contributions (`contributions`), a few of them for everybody (`strongest`), all of them by size
(`breakdown`), and one sentence (`sentence`).
"""
