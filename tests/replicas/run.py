#!/usr/bin/python3
"""Replicas of layerd that share a store, with the real engines of this machine:

    tests/replicas/run.py build/layerd [NAME...]     such as test_store.Store.test_hangs"""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import engines  # noqa: E402  reads the program's path

MODULES = ["test_deploy", "test_suite", "test_replicas", "test_store", "test_sentinel", "test_tls",
           "test_odd_stores", "test_soak"]

if __name__ == "__main__":
    engines.PROGRAM = os.path.abspath(sys.argv[1])
    suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[2:] or MODULES)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(not result.wasSuccessful())
