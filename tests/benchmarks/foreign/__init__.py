"""Other projects' parsers, each run by its own interpreter on the corpus's raw outputs."""
