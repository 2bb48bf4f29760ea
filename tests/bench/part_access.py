"""access: small calls a second with 10,000 tokens in the file, beside the same calls without
--tokens; the caller sends the same either way."""
import hashlib
import json

from part_requests import CALL
from prepare import BUILD
from report import at_least, in_turns, median, ratio, result, table
from servers import layerd, wrk

ROUNDS = 9
TOKENS = 10_000
CONNECTIONS = [1, 16]
OPEN, PLAIN, LIMITED = "without --tokens", "a token", "a token with a rate and work"
LIMITS = " rate=1000000000 burst=1000000000 work=1000T"


def token(i):
    return f"layerd_{i:046d}"


def write_tokens(path):
    """Every second has limits, which nobody reaches."""
    with open(path, "w") as file:
        for i in range(TOKENS):
            digest = hashlib.sha256(token(i).encode()).hexdigest()
            file.write(f"n{i} t{i % 100} compute {digest}{LIMITS if i % 2 else ''}\n")


def run():
    body_file, tokens = BUILD / "small.json", BUILD / "tokens"
    body_file.write_bytes(json.dumps(CALL).encode())
    write_tokens(tokens)
    rows = []
    with layerd() as (bare, _), layerd(f"--tokens={tokens}") as (guarded, _):
        ways = {OPEN: (bare, 5000), PLAIN: (guarded, 5000), LIMITED: (guarded, 5001)}
        for connections in CONNECTIONS:
            seen = in_turns(ROUNDS, {
                name: (lambda p=port, t=token(which), c=connections: wrk(
                    p, "/affine/forward?cache=none", body_file, c, token=t)["rate"])
                for name, (port, which) in ways.items()})
            rows += [[connections, name, median(rates), ratio(rates, seen[OPEN])]
                     for name, rates in seen.items()]
    made = table(f"Access: affine (2,3)·(3,4), {TOKENS} tokens",
                 ["connections", "caller", "requests/s", f"÷ {OPEN}"], rows)
    return result([made], [], [at_least(f"small call, {n} connections: {name} ÷ {OPEN}", 0.97, of)
                               for n, name, _, of in rows if name != OPEN])
