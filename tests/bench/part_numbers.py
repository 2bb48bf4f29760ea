"""numbers: reading and writing JSON numbers, ns a number. The measuring is in numbers.cc."""
import json
import subprocess

from prepare import BUILD
from report import at_least, result, table


def measured(*files):
    """[{"input", "dtype", "read": {name: ns}, "write": {name: ns}}]"""
    done = subprocess.run([str(BUILD / "numbers"), *map(str, files)], stdout=subprocess.PIPE,
                          check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def table_of(lines, way):
    names = list(lines[0][way])
    names[-1] = "printf" if way == "write" else names[-1]
    rows = [[f"{line['input']}, {line['dtype']}"] + list(line[way].values()) for line in lines]
    return table(f"Numbers: {way}, ns a number", [""] + names, rows)


def worst_of(lines, way, peer):
    """(peer's ns ÷ layerd's, input and dtype) where it is lowest"""
    return min((line[way][peer] / line[way]["layerd array"], f"{line['input']}, {line['dtype']}")
               for line in lines)


def run():
    lines = measured()
    tables = [table_of(lines, "read"), table_of(lines, "write")]
    bars, targets = [], []
    for way, peer, name in (("read", "simdjson on demand", "simdjson"),
                            ("write", "rapidjson", "rapidjson's writer")):
        value, where = worst_of(lines, way, peer)
        targets.append(at_least(f"{name} ÷ layerd, {way}: {where}", 1, value))
        bars.append(("JSON numbers of 17 digits, one core", f"{way}, than {name}",
                     lines[0][way][peer] / lines[0][way]["layerd array"]))
    return result(tables, bars, targets)
