"""Pictures, one module each; `sk_ebm.displays` is their public home."""
