"""Entry point of `python -m birdfield`, the command line."""

from birdfield.commands.app import main

main()
