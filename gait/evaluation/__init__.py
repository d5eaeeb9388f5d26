"""How good a gait model is: protocols, metrics, controls, the report. No torch: an embedder is a callable."""
