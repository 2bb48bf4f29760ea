#!/usr/bin/env bash
# pytest's JUnit report counts one test as two where its fixture fails when it is closed.
#
# Where the test itself passed, the suite's "tests" says 2, over a single case. Where it failed,
# "tests" says 1, over two cases of one name, a failure and an error. Points by the share of tests
# or of cases depend on which of the two a reader counts.
#
# Debian 12, python3-pytest 7.2.1-2, one test, whose fixture fails after it:
#     passed: tests=2 failures=0 errors=1, cases: error
#     failed: tests=1 failures=1 errors=1, cases: failure error
# Needs Python 3.11.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    python3-pytest=7.2.1-2 python3-attr=22.2.0-1 python3-iniconfig=1.1.1-2 \
    python3-packaging=23.0-1 python3-pluggy=1.0.0+repack-1
for package in *.deb; do dpkg -x "$package" .; done
export PYTHONPATH=$dir/usr/lib/python3/dist-packages PYTEST_DISABLE_PLUGIN_AUTOLOAD=1

cat >test_layer.py <<'PYTHON'
import pytest


@pytest.fixture
def daemon():
    yield
    raise OSError("the daemon is gone")


def test_passed(daemon):
    pass


def test_failed(daemon):
    assert False
PYTHON
cat >report.py <<'PYTHON'
import sys
import xml.etree.ElementTree

suite, = xml.etree.ElementTree.parse("report.xml").getroot()
counts = " ".join("%s=%s" % (key, suite.get(key)) for key in ("tests", "failures", "errors"))
print("%s: %s, cases: %s" % (sys.argv[1], counts, " ".join(case[0].tag for case in suite)))
PYTHON
seen=$(for name in passed failed; do
    /usr/bin/python3 -m pytest -q --junitxml=report.xml "test_layer.py::test_$name" >log || true
    /usr/bin/python3 report.py $name
done)
echo "$seen"
if [ "$seen" != "$(printf '%s\n' 'passed: tests=2 failures=0 errors=1, cases: error' \
        'failed: tests=1 failures=1 errors=1, cases: failure error')" ]; then
    echo "changed: pytest reports a fixture that fails after its test otherwise" >&2
    exit 1
fi
echo "as seen: pytest counts a test twice, and reports a failed one twice"
