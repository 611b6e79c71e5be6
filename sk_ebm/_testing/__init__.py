"""Checks of energies and losses; those of `sk_ebm.testing` and of the tests are made of these."""
