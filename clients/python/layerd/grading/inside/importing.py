"""Imports a student's file.

What it imports and is not here has a stand-in, unless a `try` around it has another way: files
import much that their layers do not use. With the old division, / of whole numbers is whole in the
student's files, as it was in Python 2: whether that helps tells why something failed."""
import ast
import builtins
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import types

import numpy as np


def module_of(root, path):
    """The module that a file under root is."""
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


# ---- modules that are not here -------------------------------------------------------------------


class _Nothing:
    """What a module that is not here would hold. While files are imported it may be called, too: as
    a decorator it changes nothing."""

    def __init__(self, finder, module):
        self._finder = finder
        self._module = module

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *given, **named):
        if not self._finder.importing:
            raise _missing(self._module)
        decorated = given[0] if len(given) == 1 and not named else None
        return decorated if isinstance(decorated, (type, types.FunctionType)) else self

    def __getitem__(self, key):
        return self

    def __setitem__(self, key, value):
        pass

    def __iter__(self):
        return iter(())

    def __mro_entries__(self, bases):
        return ()


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The last finder: of what no other found for a file under root that is being imported.

    importing  whether files are being imported
    first      an exception as the first of such imports would have raised it, and its place
    """

    names = []  # of the modules

    def __init__(self, root):
        self._root = root + os.sep
        self.importing = True
        self.first = None

    def find_spec(self, fullname, path=None, target=None):
        frame = sys._getframe(1)
        while frame and frame.f_code.co_filename.startswith("<frozen importlib"):
            frame = frame.f_back
        file = frame.f_code.co_filename if frame else ""
        if not self.importing or not file.startswith(self._root) or \
                frame.f_lineno in _guarded_lines(file):
            return None
        self.first = self.first or (_missing(fullname), file, frame.f_lineno)
        self.names.append(fullname)
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        nothing = _Nothing(self, spec.name)
        module.__all__ = ()
        module.__getattr__ = nothing.__getattr__
        return module

    def exec_module(self, module):
        pass


def _missing(name):
    return ModuleNotFoundError(f"No module named '{name}'", name=name)


@functools.lru_cache(None)
def _guarded_lines(path):
    """The lines of a file that stand in a `try` which has something for exceptions."""
    with open(path, "rb") as file:
        tree = ast.parse(file.read())
    return {line for node in ast.walk(tree) if isinstance(node, ast.Try) and node.handlers
            for inner in node.body for line in range(inner.lineno, inner.end_lineno + 1)}


# ---- the old division ----------------------------------------------------------------------------


class _Old(ast.NodeTransformer):
    """Calls _divided for each /."""

    def visit_BinOp(self, node):
        self.generic_visit(node)
        return _call(node, node.left, node.right) if isinstance(node.op, ast.Div) else node

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div) or not isinstance(node.target, ast.Name):
            return node
        held = ast.copy_location(ast.Name(node.target.id, ast.Load()), node)
        return ast.copy_location(ast.Assign([node.target], _call(node, held, node.value)), node)


def _call(node, left, right):
    return ast.copy_location(
        ast.Call(ast.copy_location(ast.Name(_divided.__name__, ast.Load()), node), [left, right],
                 []), node)


def _divided(left, right):
    whole = all(np.asarray(value).dtype.kind in "iu" for value in (left, right))
    return left // right if whole else left / right


def divide_as_of_old(root):
    """Has files under root that are imported from now on divide as Python 2 did."""
    usual = importlib.machinery.SourceFileLoader.source_to_code

    def source_to_code(loader, data, path, **options):
        if str(path).startswith(root + os.sep):
            data = ast.parse(data, path)
            if not any(isinstance(node, ast.ImportFrom) and node.module == "__future__"
                       and "division" in [alias.name for alias in node.names]
                       for node in data.body):
                data = ast.fix_missing_locations(_Old().visit(data))
        return usual(loader, data, path, **options)

    setattr(builtins, _divided.__name__, _divided)
    importlib.machinery.SourceFileLoader.source_to_code = source_to_code
