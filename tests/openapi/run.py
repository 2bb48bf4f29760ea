"""Runs the tests of this folder on a daemon: run.py <url>"""
import sys
import unittest

import case
import daemon

MODULES = ("test_document", "test_examples", "test_schemas", "test_graphs", "test_checks",
           "test_challenges", "test_problems")

case.daemon = daemon.Daemon(sys.argv[1])
suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromName(m) for m in MODULES)
result = unittest.TestResult()
suite.run(result)
failed = result.failures + result.errors
for test, text in failed:
    print(f"{test}\n{text}")
bad = len({str(test).split(" [")[0].split(" (")[0] for test, _ in failed})
print(f"openapi: {result.testsRun - bad} passed, {bad} failed")
sys.exit(bad > 0)
