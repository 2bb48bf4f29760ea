"""What runs where students' code runs: main.py and the files beside it, which import each other by
their bare names, without the package."""
