"""Complete command lines in bash, zsh, fish and IPython, from the command tree's shape and local reads alone.

`words` says what may stand next; `shape` keeps the tree's shape in a file, since building the tree takes too long; `scripts`
are what the shells are told; `quick` is the process that they ask.
"""
