"""One module a subcommand of `sake`; workers.cli imports them when they are called."""
