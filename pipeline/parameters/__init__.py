"""The whole of params.yaml: one typed model with the rules that hold across sections, ablations, and lines for a new data set.

Takes the file's content, gives settings or one line that says what is wrong, without PyTorch; the stages read their own sections alone.
`data_check` looks at somebody's tables before they run.
"""
