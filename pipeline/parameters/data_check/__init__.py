"""Looking at somebody's tables before they run: what is there, what is wrong with them, which settings they ask for.

Takes a folder with tables (`folder`), gives what is in it (`counts`), `findings` and `cautions` in lines of text, and `suggestions` of
the settings of a new entry of `datasets`. Nothing is written.
"""
