"""A submission: which files it has, their digest, and a copy that the student's process may read.
"""
import hashlib
import os
import stat
from collections.abc import Sequence

FILE_LIMIT = 1 << 20    # bytes of one file
TOTAL_LIMIT = 16 << 20  # bytes, and
COUNT_LIMIT = 2000      # number of .py files that are copied


class NotGradable(Exception):
    """A submission that there is nothing to test in: `str` is a sentence for the student."""


class Submission:
    """The .py files beneath a directory; links are not followed.

    files     their contents, by path
    digest    SHA-256 of paths and contents, in hex
    problems  of those that are needed and cannot be had, a sentence, by path
    """

    def __init__(self, root: str, needed: Sequence[str]):
        """needed: paths. NotGradable: none of them can be had."""
        self.problems: dict[str, str] = {}
        for path in needed:
            try:
                _check(root, path)
            except NotGradable as error:
                self.problems[path] = str(error)
        if len(self.problems) == len(needed):
            raise NotGradable(self.problems[needed[0]])
        self.files: dict[str, bytes] = {}
        total = 0
        for path in sorted(_python_files(root)):
            content = _content(os.path.join(root, path))
            if content is None:
                continue
            total += len(content)
            if total > TOTAL_LIMIT or len(self.files) == COUNT_LIMIT:
                raise NotGradable(f"the submission has too many .py files: more than {COUNT_LIMIT} "
                                  f"files or {TOTAL_LIMIT >> 20} MiB of them")
            self.files[path] = content
        digest = hashlib.sha256()
        for path, content in self.files.items():
            name = os.fsencode(path)
            digest.update(b"%d:%s%d:%s" % (len(name), name, len(content), content))
        self.digest = digest.hexdigest()

    def copy(self, target: str) -> None:
        """Makes a directory hold these files and nothing else."""
        _empty(target)
        for path, content in self.files.items():
            place = os.path.join(target, path)
            os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
            with open(place, "wb") as file:
                file.write(content)
            os.chmod(place, 0o644)


def _check(root: str, path: str) -> None:
    place = os.path.join(root, path)
    try:
        kind = os.lstat(place).st_mode
    except (OSError, ValueError):
        kind = None
    if kind is None or not _is_within(root, place):
        raise NotGradable(f"there is no {path} in the submission{_elsewhere(root, path)}")
    if stat.S_ISLNK(kind):
        raise NotGradable(f"{path} is a link: hand in the file itself")
    if not stat.S_ISREG(kind):
        raise NotGradable(f"{path} is {'a directory' if stat.S_ISDIR(kind) else 'no regular file'},"
                          " but must be a file")
    size = os.lstat(place).st_size
    if size > FILE_LIMIT:
        raise NotGradable(f"{path} has {size >> 20} MiB, but at most {FILE_LIMIT >> 20} MiB are "
                          "read")
    if not size:
        raise NotGradable(f"{path} is empty")


def _is_within(root: str, place: str) -> bool:
    """Whether no directory on the way is a link out of the submission."""
    folder = os.path.realpath(os.path.dirname(place))
    root = os.path.realpath(root)
    return folder == root or folder.startswith(root.rstrip("/") + "/")


def _elsewhere(root: str, path: str) -> str:
    """Where a file of that name is, if it is in another place."""
    name = os.path.basename(path)
    for found in sorted(_python_files(root)):
        if os.path.basename(found) == name:
            return f", but a {found}: put it where {path} should be"
    return ""


def _python_files(root: str) -> list[str]:
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in files:
            place = os.path.join(folder, name)
            if name.endswith(".py") and stat.S_ISREG(os.lstat(place).st_mode):
                found.append(os.path.relpath(place, root))
        if len(found) > 2 * COUNT_LIMIT:
            break
    return found


def _content(place: str) -> "bytes | None":
    """None: too large to be code, or not readable."""
    try:
        with open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            content = file.read(FILE_LIMIT + 1)
    except OSError:
        return None
    return content if len(content) <= FILE_LIMIT else None


def _empty(target: str) -> None:
    for folder, folders, files in os.walk(target, topdown=False):
        for name in files:
            os.unlink(os.path.join(folder, name))
        for name in folders:
            os.rmdir(os.path.join(folder, name))
