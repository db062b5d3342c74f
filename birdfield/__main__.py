"""`python -m birdfield`: the command line, where the program is not on the path."""

from birdfield.cli import main

main()
