#!/usr/bin/env bash
# Run once, by Gradescope, when it builds the image: installs what is missing, and closes what the
# grader needs to everybody but root, whom the students' code does not run as.
set -euo pipefail
if ! python3 -c 'import numpy' 2>/dev/null; then
    apt-get update
    apt-get install -y --no-install-recommends python3 python3-numpy
fi
chmod -R go-rwx /autograder/source
