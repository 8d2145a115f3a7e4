"""What breaks outside of the code: damaged and foreign files, full disks, kills, bad inputs, hostile text.

Each area makes one trial at a time, drawn by hypothesis: `make test` tries each so many times from a fixed seed, `make faults` for as
long as one says from fresh ones, and prints what came of it. A trial ends well if the result is the same bytes as ever, or if one clear
line says what is wrong, with the right exit code, and nothing is left half done.
"""
