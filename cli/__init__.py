"""The command line: it parses, calls the facade, and prints."""
