"""`python -m avion_core.cli`: the command `avion` where no script of that name is on the path."""

from avion_core.cli import main

main()
