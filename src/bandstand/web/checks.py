"""System checks of the inbound edge (bandstand.E4xx, bandstand.W4xx)."""
