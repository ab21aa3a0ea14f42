"""The command: the only part that prints, reads the terminal, or exits."""
