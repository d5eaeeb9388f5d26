"""Each bench prints us, a peer and the limit, measured in one run; goals live in goals.toml."""
