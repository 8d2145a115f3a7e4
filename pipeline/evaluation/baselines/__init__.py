"""What the model must beat: simple systems, fitted on the same training split and scored by the same function."""
