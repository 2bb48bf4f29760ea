"""The pages of the manual. Those in tests/ and findings/ are not of it."""
import pathlib

TOP = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ("server", "lib", "include", "clients")


def pages():
    """Their paths in the project's folder."""
    found = [TOP / "README.md"]
    for room in ROOMS:
        found += sorted(path for path in (TOP / room).rglob("README.md")
                        if "node_modules" not in path.parts)
    return [str(path.relative_to(TOP)) for path in found]


if __name__ == "__main__":
    print("\n".join(pages()))
