"""Who sends a body that is refused on the way reads the answer: Python's http.client.

    refused.py URL            bodies over the limit
"""
import http.client
import json
import sys
import urllib.parse

ROUNDS = 12
MIB = 1 << 20


def refused(address, length):
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    try:
        connection.request("POST", address.path + "/relu/forward", b" " * length,
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        problem = json.loads(answer.read())
        return (answer.status, problem["code"]) == (413, "body_too_large")
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"  {length} bytes: {type(error).__name__}: {error}")
        return False
    finally:
        connection.close()


def main():
    address = urllib.parse.urlsplit(sys.argv[1])
    failed = 0
    for length in (MIB + 1, 3 * MIB, 20 * MIB):
        failed += sum(not refused(address, length) for _ in range(ROUNDS))
    print(f"http.client: {3 * ROUNDS - failed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
