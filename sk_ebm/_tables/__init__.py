"""Tables of any library, as what energies read."""
