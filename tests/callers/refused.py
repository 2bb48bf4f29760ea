"""Who sends a body that is refused on the way reads the answer: Python's http.client.

    refused.py URL            bodies over the limit
"""
import http.client
import json
import sys
import urllib.parse

ROUNDS = 6
MIB = 1 << 20


# Each with the codes that may answer it: of several faults in one request one is told.
KINDS = {
    "over the limit": ((), {"body_too_large"}),
    "of a foreign page": ((("Origin", "https://other.example"),), {"forbidden", "body_too_large"}),
    "coded, with cookies": ((("Cookie", "a=" + "a" * 6000), ("Cookie", "b=" + "b" * 6000),
                             ("Origin", "https://other.example"), ("Content-Encoding", "gzip")),
                            {"forbidden", "unsupported_media_type", "body_too_large"}),
}


def refused(address, length, headers, codes):
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    try:
        connection.putrequest("POST", address.path + "/relu/forward")
        for name, value in (("Content-Length", str(length)), *headers):
            connection.putheader(name, value)
        connection.endheaders(b" " * length)
        return json.loads(connection.getresponse().read())["code"] in codes
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"  {length} bytes: {type(error).__name__}: {error}")
        return False
    finally:
        connection.close()


def main():
    address = urllib.parse.urlsplit(sys.argv[1])
    failed = 0
    for headers, codes in KINDS.values():
        for length in (MIB + 1, 3 * MIB, 20 * MIB):
            failed += sum(not refused(address, length, headers, codes) for _ in range(ROUNDS))
    print(f"http.client: {len(KINDS) * 3 * ROUNDS - failed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
