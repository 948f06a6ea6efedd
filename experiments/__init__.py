"""What we ask of the world: train, evaluate, compare, export, report, bench; and the command line."""
