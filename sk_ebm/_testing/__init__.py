"""Laws of components; `sk_ebm.testing` is their public home."""
