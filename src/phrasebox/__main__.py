"""``python -m phrasebox`` is the command ``phrasebox``, for launchers that want a module."""

from phrasebox.cli import main

main()
