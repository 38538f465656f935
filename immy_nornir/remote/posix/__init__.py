"""Linux and macOS: operations -> a program for `sh` -> answers, over any Transport that runs `sh`."""
