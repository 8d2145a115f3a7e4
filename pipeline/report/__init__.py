"""The report of a data set: one HTML file that opens from disk, with charts and a model that runs in the browser."""
