"""The targets, a module each; :mod:`base` says what one is."""
