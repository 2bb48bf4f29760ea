"""numbers: reading and writing JSON numbers, ns a number. The measuring is in numbers.cc."""
import json
import subprocess

from prepare import BUILD
from report import result, table


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


def run():
    lines = measured()
    tables = [table_of(lines, "read"), table_of(lines, "write")]
    read, write = lines[0]["read"], lines[0]["write"]
    bars = [("reading 17-digit numbers, than simdjson",
             read["simdjson on demand"] / read["layerd array"]),
            ("reading 17-digit numbers, than Jansson", read["Jansson"] / read["layerd array"]),
            ("writing 17-digit numbers, than rapidjson",
             write["rapidjson"] / write["layerd array"]),
            ("writing 17-digit numbers, than std::to_chars",
             write["to_chars"] / write["layerd array"])]
    return result(tables, bars)
