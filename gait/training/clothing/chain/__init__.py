"""The full chain: clothes described, put in few words, parsed, inpainted, judged. Files between."""
