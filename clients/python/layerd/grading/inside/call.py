"""What runs in a student's process: imports the file, calls its functions, sends what they give.

A message {"import": "cs231n/layers.py", "names": [...], "old_division": false} is answered by
{"defined": [...], "reused": {...}}, those of the names that are functions there, and variables that
loops in them use twice. {"calls": [...]} makes calls, each {"function", "arguments", "then"}: then
is the call of a backward, whose last argument is the cache that the first call gave. An argument is
{"array": i}, {"number": x} or {"dictionary": {...}} of such. The answer has for each call what it
returned, or what it raised.

All of this stands in one process with the student's code, which may do to it what it likes: the
grader believes none of it."""
import ast
import builtins
import importlib.util
import os
import sys
import sysconfig
import traceback
import types
import warnings

import numpy as np

import frames
import importing

_LONGEST = 500  # characters of an exception's message
_GIVEN_BACK = {"int": int, "float": float, "bool": bool, "object": object, "complex": complex,
               "str": str, "float_": np.float64, "Inf": np.inf, "NaN": np.nan}


def python_directories():
    """Where Python and its packages lie."""
    paths = sysconfig.get_paths()
    found = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    numpy = os.path.dirname(os.path.dirname(os.path.realpath(np.__file__)))
    return [path for path in {*found, numpy, *sys.path, os.path.join(sys.base_prefix, "lib")}
            if os.path.isdir(path)]


def serve(descriptor, root):
    """Answers messages until there are none."""
    module = None
    sys.path.append(root)  # behind all else: a numpy.py there shadows nothing
    while True:
        try:
            request, arrays = frames.decode(lambda count: _read(descriptor, count))
        except EOFError:
            return
        if "import" in request:
            module, answer = _import(root, request)
            results = []
        else:
            answer, results = _make_calls(module, root, request, arrays)
        _flush()
        _write(descriptor, frames.encode(answer, results))


def _flush():
    """Lets go of what was printed, since the process may end without notice."""
    for stream in sys.stdout, sys.stderr:
        try:
            stream.flush()
        except Exception:  # pylint: disable=broad-except
            pass


def give_back_what_is_gone():
    """Names that were there when most of such files were written."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, value in _GIVEN_BACK.items():
            if not hasattr(np, name):
                setattr(np, name, value)
    builtins.xrange = range
    if importlib.util.find_spec("past") is None:
        past = types.ModuleType("past")
        past.builtins = types.ModuleType("past.builtins")
        past.builtins.xrange = range
        sys.modules.update({"past": past, "past.builtins": past.builtins})


def _import(root, request):
    if request.get("old_division"):
        importing.divide_as_of_old(root)
    absent = importing.Absent(root)
    sys.meta_path.append(absent)
    try:
        module = importing.module_of(root, request["import"])
    except BaseException as error:  # pylint: disable=broad-except
        return None, {"raised": _told(error, root)}
    absent.importing = False
    defined = [name for name in request["names"] if callable(getattr(module, name, None))]
    if absent.first and not defined:
        error, file, line = absent.first
        told = _told(error, root)
        return module, {"raised": {**told, "file": os.path.relpath(file, root), "line": line}}
    return module, {"defined": defined, "reused": _reused(module, defined)}


def _make_calls(module, root, request, arrays):
    outcomes, results = [], []
    for asked in request["calls"]:
        outcome = {}
        outcomes.append(outcome)
        try:
            np.random.seed(request.get("seed", 0))
            _make_call(module, root, asked, arrays, outcome, results)
        except BaseException as error:  # pylint: disable=broad-except
            outcome["raised"] = _told(error, root)
    return {"calls": outcomes}, results


def _make_call(module, root, asked, arrays, outcome, results):
    outcome["during"] = asked["function"]
    arguments = [_argument(told, arrays) for told in asked["arguments"]]
    held = [_copy(argument) for argument in arguments]
    try:
        returned = _called(module, asked["function"], arguments)
    except Exception as error:  # pylint: disable=broad-except
        if "then" not in asked or not _is_accident(error, root):
            raise
        outcome["failed"] = _told(error, root)
        arguments = [_argument(told, arrays) for told in asked["arguments"]]
        returned = None, _cache_of(asked["function"], arguments, error)
    notes = _changed(asked["names"], held, arguments, returned)
    if "then" in asked:
        then = asked["then"]
        cache = returned[1] if isinstance(returned, (tuple, list)) and len(returned) > 1 else None
        if _first(returned) is None and "failed" not in outcome:
            outcome["no_forward"] = True
            return
        outcome["no_cache"] = cache is None
        _note_cache(asked["function"], arguments, cache)
        outcome["during"] = then["function"]
        if asked.get("both"):
            outcome["first"] = _sent(_first(returned), results)
        before, kept = arguments, [_copy(argument) for argument in arguments]
        arguments = [*[_argument(told, arrays) for told in then["arguments"]], cache]
        held = [_copy(argument) for argument in arguments]
        again = _called(module, then["function"], arguments)
        notes = [{"changed": note["changed"]} for note in notes]
        notes += _changed(then["names"], held, arguments, again)
        notes += _changed(asked["names"], kept, before, again)
        returned = again
    outcome["notes"] = notes
    if isinstance(returned, tuple) or isinstance(returned, list) and asked["several"]:
        outcome["returned"] = [_sent(value, results)
                               for value in returned[:asked.get("only", 4)]]
    else:
        outcome["returned"] = [_sent(returned, results)]
        outcome["alone"] = True
    outcome["dictionaries"] = {name: _sent(argument, results)["items"]
                               for name, argument in zip(asked["names"], arguments)
                               if isinstance(argument, dict)}


_CACHES = {}  # of forwards: of which of their arguments the cache is made, how; None: otherwise


def _note_cache(function, arguments, cache):
    """Keeps how a forward's cache is made, if it never holds anything but arguments."""
    held = list(cache) if isinstance(cache, (tuple, list)) else [cache]
    places = [[place for place, argument in enumerate(arguments) if argument is value]
              for value in held]
    if not places or not all(places):
        _CACHES[function] = None
    elif _CACHES.get(function, ()) is not None:
        kind = type(cache) if isinstance(cache, (tuple, list)) else None
        _CACHES[function] = kind, [first for first, *_ in places]


def _cache_of(function, arguments, error):
    """The cache that a forward would have made of these arguments, had it not raised an exception,
    so that its backward is known all the same. Raises that where it is not known how."""
    if not _CACHES.get(function):
        raise error
    kind, places = _CACHES[function]
    values = [arguments[place] for place in places]
    return kind(values) if kind else values[0]


def _is_accident(error, root):
    """Whether an exception is none by which a function refuses its arguments."""
    return not isinstance(error, AssertionError) and \
        not _told(error, root).get("text", "").startswith("raise ")


def _first(returned):
    return returned[0] if isinstance(returned, (tuple, list)) and returned else returned


def _copy(value):
    return value.copy() if isinstance(value, np.ndarray) else None


def _called(module, name, arguments):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(module, name)(*arguments)


def _changed(names, before, arguments, returned):
    """Notes on what a call did to its arguments, and which of its results it built there."""
    return [{"changed": told, "into": _places(new, returned)}
            for told, old, new in zip(names, before, arguments)
            if old is not None and not np.array_equal(old, new, equal_nan=old.dtype.kind == "f")]


def _places(argument, returned):
    """Which of a call's results are in the memory of an argument."""
    values = returned if isinstance(returned, (tuple, list)) else [returned]
    return [place for place, value in enumerate(values)
            if isinstance(value, np.ndarray) and np.may_share_memory(value, argument)]


def _argument(told, arrays):
    """An argument of a call: the callee's own, so that nothing else sees what it does to it."""
    if "array" in told:
        return np.array(arrays[told["array"]])
    if "dictionary" in told:
        return {name: _argument(value, arrays) for name, value in told["dictionary"].items()}
    return told["number"]


def _kind(value):
    return "None" if value is None else type(value).__name__


def _sent(value, results):
    """How a result is told of: where it is an array or a number, as the number of its frame."""
    if isinstance(value, np.ma.MaskedArray):
        return {"is": "masked array"}
    if isinstance(value, dict):
        return {"is": "dict", "items": {key: _sent(held, results)
                                        for key, held in [*value.items()][:16]
                                        if isinstance(key, str) and not isinstance(held, dict)}}
    told = {"is": "array"}
    if isinstance(value, (list, tuple)):
        told["listed"] = _kind(value)
        value = _array_of(value)
    if not isinstance(value, (np.ndarray, np.generic, int, float)):
        return {"is": told.get("listed") or _kind(value)}
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        return {"is": told.get("listed") or f"array of {array.dtype}"}
    if array.dtype.itemsize > 8 or array.dtype == np.float16:
        array = array.astype(np.float64)
    if array.nbytes + sum(result.nbytes for result in results) > frames.LIMIT // 2:
        return {"is": "too large", "shape": list(array.shape)}
    results.append(array.copy())
    return {**told, "frame": len(results) - 1}


def _array_of(values):
    """The array that a list holds the rows or elements of, or None."""
    try:
        return np.array(values)
    except ValueError:
        return None


def _told(error, root):
    """What is told of an exception: only lines of the student's own files."""
    told = {"exception": type(error).__name__[:100], "message": _message(error)}
    if isinstance(error, NameError) and importing.Absent.names:
        told["message"] += ". It may be of " + ", ".join(importing.Absent.names)[:100] + \
            ", which is not here"
    if isinstance(error, SyntaxError):
        told["line"] = error.lineno
        told["file"] = os.path.relpath(error.filename, root) if error.filename else None
        return told
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(root + os.sep):
            told.update(line=frame.lineno, function=frame.name,
                        file=os.path.relpath(frame.filename, root))
            told["text"] = (frame.line or "")[:200]
            for node in _functions(frame.filename):
                if node.name == frame.name:
                    told["hidden"] = _hidden_argument(node)
                    told["unset"] = _unset(node, frame.lineno)
            break
    return told


def _message(error):
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)[:_LONGEST]
    except Exception:  # pylint: disable=broad-except
        return ""


def _hidden_argument(node):
    """An argument of a function whose name a loop in it uses again, or None."""
    names = {argument.arg for argument in node.args.args}
    return next((name for loop in _loops(node) for name in sorted(_counters(loop) & names)), None)


def _unset(node, line):
    """A variable in a line of a function that is set to None there and to nothing else, or None."""
    values = {}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assign):
            for target in inner.targets:
                if isinstance(target, ast.Name) and inner.lineno != line:
                    values.setdefault(target.id, []).append(inner.value)
    return next((inner.id for inner in ast.walk(node)
                 if isinstance(inner, ast.Name) and inner.lineno == line and inner.id in values
                 and all(isinstance(value, ast.Constant) and value.value is None
                         for value in values[inner.id])), None)


def _reused(module, names):
    """Of functions, a variable that two loops, one in the other, count with."""
    found = {}
    for node in _functions(getattr(module, "__file__", "")) if names else ():
        for loop in _loops(node) if node.name in names else ():
            for inner in _loops(loop):
                again = _counters(loop) & _counters(inner) - {"_"}
                if inner is not loop and again:
                    found[node.name] = min(again)
    return found


def _functions(path):
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def _loops(node):
    return [inner for inner in ast.walk(node) if isinstance(inner, ast.For)]


def _counters(loop):
    return {target.id for target in ast.walk(loop.target) if isinstance(target, ast.Name)}


def _read(descriptor, count):
    data = bytearray()
    while len(data) < count:
        part = os.read(descriptor, min(1 << 16, count - len(data)))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def _write(descriptor, data):
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view):]
