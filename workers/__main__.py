"""`python -m workers`: the `sake` command, for processes that are started by this project."""

from workers.cli import main

main()
