"""The page itself: its template, style and scripts, and what puts them together."""
