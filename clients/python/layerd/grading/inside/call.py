"""What runs in a student's process: imports the file, calls its functions, sends what they give.

A message {"import": "cs231n/layers.py", "names": [...]} is answered by {"defined": [...]}, those of
the names that are functions there. {"calls": [...]} makes
calls, each {"function", "arguments", "then"}: `then` is the call of a backward, whose last argument
is the cache that the first call gave. An argument is {"array": i}, {"number": x} or {"dictionary":
{...}} of such. The answer has for each call what it returned, or what it raised.

All of this stands in one process with the student's code, which may do to it what it likes: the
grader believes none of it."""
import ast
import builtins
import importlib
import importlib.util
import os
import sys
import sysconfig
import traceback
import types
import warnings

import numpy as np

import frames

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
            module, answer = _import(root, request["import"], request["names"])
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


def _import(root, path, names):
    first = None
    while True:
        try:
            module = _module_of(root, path)
            break
        except BaseException as error:  # pylint: disable=broad-except
            first = first or {"raised": _told(error, root)}
            if not isinstance(error, ModuleNotFoundError) or not error.name or \
                    error.name in sys.modules:
                return None, first
            for name, begun in list(sys.modules.items()):
                if str(getattr(begun, "__file__", "")).startswith(root + os.sep):
                    del sys.modules[name]
            _stand_in_for(error.name)
    defined = [name for name in names if callable(getattr(module, name, None))]
    return module, {"defined": defined} if defined or not first else first


class _Absent(types.ModuleType):
    """Stands in for a module that is not here: files import much that their layers do not use."""

    __all__ = ()
    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def absent(*_, **__):
            raise ModuleNotFoundError(f"No module named '{self.__name__}'", name=self.__name__)
        return absent


def _stand_in_for(name):
    module = sys.modules[name] = _Absent(name)
    parent, _, last = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], last, module)


def _module_of(root, path):
    parts = path[:-len(".py")].split("/")
    place = os.path.join(root, path)
    module = None
    if all(part.isidentifier() for part in parts):
        module = importlib.import_module(".".join(parts))
    if getattr(module, "__file__", None) != place:  # Python has one of that name
        sys.path.append(os.path.dirname(place))
        spec = importlib.util.spec_from_file_location("submission", place)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def _make_calls(module, root, request, arrays):
    outcomes, results = [], []
    for asked in request["calls"]:
        outcome = {}
        outcomes.append(outcome)
        try:
            _make_call(module, asked, arrays, outcome, results, request.get("seed", 0))
        except BaseException as error:  # pylint: disable=broad-except
            outcome["raised"] = _told(error, root)
    return {"calls": outcomes}, results


def _make_call(module, asked, arrays, outcome, results, seed):
    np.random.seed(seed)
    outcome["during"] = asked["function"]
    arguments = [_argument(told, arrays) for told in asked["arguments"]]
    returned, notes = _called(module, asked["function"], arguments, asked["names"])
    if "then" in asked:
        then = asked["then"]
        cache = returned[1] if isinstance(returned, (tuple, list)) and len(returned) > 1 else None
        if returned is None:
            outcome["no_forward"] = True
            return
        outcome["during"] = then["function"]
        arguments = [*[_argument(told, arrays) for told in then["arguments"]], cache]
        again, more = _called(module, then["function"], arguments, then["names"])
        notes += more
        if asked.get("both"):
            outcome["first"] = _sent(_first(returned), results)
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


def _first(returned):
    return returned[0] if isinstance(returned, (tuple, list)) and returned else returned


def _called(module, name, arguments, names):
    """What a function returns, and notes on what it did to its arguments."""
    before = [argument.copy() if isinstance(argument, np.ndarray) else None
              for argument in arguments]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        returned = getattr(module, name)(*arguments)
    changed = [{"changed": told} for told, old, new in zip(names, before, arguments)
               if old is not None and not np.array_equal(old, new, equal_nan=old.dtype.kind == "f")]
    return returned, changed


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
    if isinstance(value, dict):
        return {"is": "dict", "items": {key: _sent(held, results)
                                        for key, held in [*value.items()][:16]
                                        if isinstance(key, str) and not isinstance(held, dict)}}
    if not isinstance(value, (np.ndarray, np.generic, int, float)):
        return {"is": "None" if value is None else type(value).__name__}
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        return {"is": f"array of {array.dtype}"}
    if array.dtype.itemsize > 8 or array.dtype == np.float16:
        array = array.astype(np.float64)
    if array.nbytes + sum(result.nbytes for result in results) > frames.LIMIT // 2:
        return {"is": "too large", "shape": list(array.shape)}
    results.append(array.copy())
    return {"is": "array", "frame": len(results) - 1}


def _told(error, root):
    """What is told of an exception: only lines of the student's own files."""
    told = {"exception": type(error).__name__[:100], "message": _message(error)}
    if isinstance(error, SyntaxError):
        told["line"] = error.lineno
        told["file"] = os.path.relpath(error.filename, root) if error.filename else None
        return told
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith(root + os.sep):
            told.update(line=frame.lineno, function=frame.name,
                        file=os.path.relpath(frame.filename, root))
            told["text"] = (frame.line or "")[:200]
            told["hidden"] = _hidden_argument(frame.filename, frame.name)
            break
    return told


def _message(error):
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)[:_LONGEST]
    except Exception:  # pylint: disable=broad-except
        return ""


def _hidden_argument(path, function):
    """An argument of a function whose name a loop in it uses again, or None."""
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            names = {argument.arg for argument in node.args.args}
            for inner in ast.walk(node):
                if isinstance(inner, ast.For):
                    for target in ast.walk(inner.target):
                        if isinstance(target, ast.Name) and target.id in names:
                            return target.id
    return None


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
