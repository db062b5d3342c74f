"""`python -m birdfield`: the command line, where the program is not on the path."""

from birdfield.commands.app import main

main()
