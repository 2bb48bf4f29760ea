"""Runs the commands of one page, and compares what they print: run.py build/layerd <url> <page>

Pages say localhost:8080 or 127.0.0.1:8080, where layerd serves by default, and the daemon under test
is elsewhere: that address is replaced, and so is each at which a page has a daemon listen, by a free
one. Clients that are given none find it by LAYERD_URL. `layerd` and `python3` are the one under test and Debian's.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

import elsewhere
import matching
import page
from pages import TOP
from shell import Shell

DEFAULTS = ("localhost:8080", "127.0.0.1:8080")


def make_project(folder, layerd):
    """The project's folder, for commands to write into: what they may change is a copy."""
    for entry in TOP.iterdir():
        if not entry.name.startswith(".") and entry.name not in ("build", "clients"):
            (folder / entry.name).symlink_to(entry)
    shutil.copytree(TOP / "clients", folder / "clients",
                    ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    (folder / "build").symlink_to(layerd.parent)
    (folder / ".bin").mkdir()
    (folder / ".bin/layerd").symlink_to(layerd)
    (folder / ".bin/python3").symlink_to("/usr/bin/python3")


def is_installed(command):
    probe = elsewhere.LANGUAGES.get(command.text.split()[0])
    return not probe or subprocess.run(["sh", "-c", probe], capture_output=True).returncode == 0


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def moved(text, here):
    """A page with the addresses that are free here."""
    places = dict.fromkeys(DEFAULTS, here)
    for address in re.findall(r"--listen (127\.0\.0\.1:\d+)", text):
        places.setdefault(address, free_address())
    for address, place in places.items():
        text = re.sub(re.escape(address) + r"(?!\d)", place, text)
    return text


def fault(shell, command):
    """What is wrong with a command's output, or nothing."""
    printed, status = shell.run(command.text)
    if status != 0:
        return f"it ended with {status} and printed:\n{printed}"
    if not matching.matches(command.expected, printed):
        return f"it should have printed:\n{command.expected}but printed:\n{printed}"
    return None


def write_code(folder, block, following):
    if block.language not in elsewhere.BLOCKS:
        (folder / page.file_name(block, following)).write_text(block.text)


def run_page(text, folder, shell, here):
    """How many commands passed, the faults of the others, and what was not run."""
    passed, faults, skipped = 0, [], []
    found = page.blocks(moved(text, here))
    for at, block in enumerate(found):
        if block.language == "console":
            for command in page.commands(block):
                if command.text.startswith(tuple(elsewhere.COMMANDS)):
                    continue
                if not is_installed(command):
                    skipped.append(command.text.split()[0])
                    continue
                wrong = fault(shell, command)
                passed += wrong is None
                if wrong:
                    faults.append(f"line {command.line}: $ {command.text}\n{wrong}")
        elif block.language:
            following = next((b for b in found[at:] if b.language == "console"), None)
            write_code(folder, block, page.commands(following) if following else [])
    return passed, faults, skipped


def main():
    layerd, url, name = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3]
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place, "layerd")
        folder.mkdir()
        make_project(folder, layerd)
        environment = os.environ | {"PATH": f"{folder}/.bin:{os.environ['PATH']}",
                                    "LAYERD_URL": url, "PYTHONDONTWRITEBYTECODE": "1"}
        with Shell(folder, environment) as shell:
            passed, faults, skipped = run_page((TOP / name).read_text(), folder, shell,
                                               url.removeprefix("http://"))
            ended = shell.end_jobs()
    if ended:
        faults.append(ended)
    for wrong in faults:
        print(f"{name}, {wrong}")
    if skipped:
        print(f"{name}: not installed here, so not run: {', '.join(skipped)}")
    print(f"{name}: {passed} commands passed, {len(faults)} failed")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
