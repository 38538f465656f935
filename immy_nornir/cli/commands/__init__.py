"""The commands of `immy`, a module for each group: words go in, an exit code comes out; `cli.main` imports them."""
