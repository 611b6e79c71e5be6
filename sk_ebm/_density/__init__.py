"""Parts of conditional and joint densities."""
