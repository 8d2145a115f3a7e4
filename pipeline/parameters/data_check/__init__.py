"""Looking at somebody's tables before they run: what is there, what is wrong with them, which settings they ask for."""
