"""What the model must beat: simple systems, fitted on the same training split and scored by the same function.

Takes a data set, gives a `Scorer` of each system with the settings that are best on the validation split (`choice`). The formula of each
stands in its own module.
"""
