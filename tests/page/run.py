"""Runs the tests of this folder on a daemon: run.py <url>"""
import sys
import unittest

import case
from browser import Browser

MODULES = ("test_document", "test_forms", "test_checks", "test_errors", "test_figures",
           "test_images", "test_graph", "test_origins", "test_people", "test_tokens")

case.url = sys.argv[1]
case.browser = Browser()
try:
    suite = unittest.defaultTestLoader.loadTestsFromNames(MODULES)
    result = unittest.TestResult()
    suite.run(result)
finally:
    case.browser.close()
failed = result.failures + result.errors
for test, text in failed:
    print(f"{test}\n{text}")
print(f"page: {result.testsRun - len(failed)} passed, {len(failed)} failed")
sys.exit(len(failed) > 0)
