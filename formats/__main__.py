"""``python -m modelfmt``: the command line."""

from modelfmt.cli.main import main

if __name__ == "__main__":
    main()
