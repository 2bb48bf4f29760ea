"""layerd-grade: from a student's layers.py to a result that platforms take (command.py)."""
