"""New clothes for the same walk: who walks, how and where stay, what they wear changes."""
