"""Where an exception comes from: a signal handler may raise any, at any place, while we work."""

_OURS = {__package__, "json", "numpy", "socket", "ssl"}


def is_ours(error: BaseException) -> bool:
    """Whether an exception was raised by this package or the libraries that it calls. One of a
    signal handler, which stands in the traceback, is not: it is for the caller, as it is."""
    place = error.__traceback__
    while place is not None:
        if place.tb_frame.f_globals.get("__name__", "").partition(".")[0] not in _OURS:
            return False
        place = place.tb_next
    return True
