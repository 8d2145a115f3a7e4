"""One system on the test split, whoever it is: its values for each user and slice as tables, and what to be told before trusting it."""
