"""A page of the manual: its fenced blocks, and the commands in them."""
import dataclasses
import re
import shlex

# The ending of the file that a later command knows a block of code by.
ENDINGS = {"c": ".c", "js": ".mjs", "python": ".py", "sh": ".sh", "ts": ".ts"}


@dataclasses.dataclass
class Block:
    line: int
    language: str
    text: str


@dataclasses.dataclass
class Command:
    line: int
    text: str
    expected: str = ""


def blocks(page):
    """The fenced blocks of a page's text."""
    found, inside = [], None
    for number, line in enumerate(page.splitlines(), 1):
        if not line.startswith("```"):
            if inside:
                inside.text += line + "\n"
        elif inside:
            found.append(inside)
            inside = None
        else:
            inside = Block(number, line[3:].strip(), "")
    if inside:
        raise ValueError(f"line {inside.line}: the block has no end")
    return found


def goes_on(command):
    """Whether the next line belongs to it, too: behind a backslash, or inside a quotation."""
    try:
        shlex.split(command)
    except ValueError:
        return True
    return False


def commands(block):
    """The commands of a console block: lines behind "$ ", with those that a backslash or a quotation
    adds to them, and what they print up to the next."""
    found, inside = [], False
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if inside:
            found[-1].text += "\n" + line
        elif line.startswith("$ "):
            found.append(Command(number, line[2:]))
        elif found:
            found[-1].expected += line + "\n"
        elif line:
            raise ValueError(f"line {number}: a console block begins with a command")
        inside = (inside or line.startswith("$ ")) and goes_on(found[-1].text)
    return found


def file_name(block, following):
    """By which name the commands that follow a block of code know it."""
    ending = ENDINGS.get(block.language)
    for command in following if ending else ():
        name = re.search(rf"(?<![\w/.-])[\w-]+{re.escape(ending)}(?![\w.])", command.text)
        if name:
            return name[0]
    raise ValueError(f"line {block.line}: no command runs this block of {block.language or 'text'}")
