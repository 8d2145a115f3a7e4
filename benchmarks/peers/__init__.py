"""Published knowledge-graph recommenders, as RecBole has them, on exactly our split and scored by our evaluator."""
