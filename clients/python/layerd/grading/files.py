"""Results files: whole or not at all, and never through a link."""
import errno
import os
import secrets


class ResultsError(Exception):
    """A results file that cannot be written: `str` says why."""


def write(path: str, data: bytes) -> None:
    """Writes a file beside, and moves it to its place once it is on the disk. ResultsError."""
    folder, name = os.path.split(os.path.abspath(path))
    try:
        if os.path.islink(path):
            raise OSError(errno.ELOOP, "it is a link, which nothing is written through")
        os.makedirs(folder, exist_ok=True)
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise _failed(path, error) from error
    beside = f".{name}.{secrets.token_hex(8)}"
    try:
        _write_beside(place, beside, data)
        os.rename(beside, name, src_dir_fd=place, dst_dir_fd=place)
        os.fsync(place)
    except OSError as error:
        _remove(place, beside)
        raise _failed(path, error) from error
    finally:
        os.close(place)


def remove(path: str) -> None:
    """Removes a file, if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _failed(path, error) from error


def _write_beside(place: int, beside: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(beside, flags, 0o644, dir_fd=place)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view):]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(place: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=place)
    except OSError:
        pass


def _failed(path: str, error: OSError) -> ResultsError:
    return ResultsError(f"the results cannot be written to {path}: {error.strerror or error}")
