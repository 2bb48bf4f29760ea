"""Runs the tests beside it against the daemon of LAYERD_URL; a word on the command line picks those
whose names hold it."""
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

loader = unittest.TestLoader()
loader.testNamePatterns = [f"*{word}*" for word in sys.argv[1:]] or None
result = unittest.TextTestRunner(verbosity=0, warnings="error").run(
    loader.discover(str(HERE), top_level_dir=str(HERE)))
failed = len({test.id().split(" ")[0] for test, _ in result.failures + result.errors})
print(f"python client: {result.testsRun - failed} passed, {failed} failed")
sys.exit(failed > 0)
