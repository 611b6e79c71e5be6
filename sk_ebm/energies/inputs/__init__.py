"""Energies of the inputs alone."""
