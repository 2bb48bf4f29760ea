"""What the bench stands on: packages, and the programs under build/bench/. The Makefile says by the
environment what it builds with; without it, everything is as it is there by default."""
import glob
import os
import subprocess
import sys
from pathlib import Path

OUT = Path(os.environ.get("B", "build"))
BUILD = OUT / "bench"
MULTIARCH = subprocess.check_output(["gcc", "-print-multiarch"], text=True).strip()
THREADED_BLAS = BUILD / "openblas/usr/lib" / MULTIARCH / "openblas-pthread"
OPENMP = f"/usr/lib/{MULTIARCH}/openblas-openmp"

PACKAGES = ["wrk", "python3-numpy", "python3-fastapi", "python3-uvicorn", "python3-uvloop",
            "python3-httptools", "redis-server", "haproxy", "libsimdjson-dev", "rapidjson-dev",
            "libfast-float-dev"]
if os.environ.get("BENCH_TORCH") == "1":
    PACKAGES.append("python3-torch")


def is_installed(package):
    query = subprocess.run(["dpkg-query", "-W", "-f=${Status}", package], capture_output=True)
    return b"ok installed" in query.stdout


def quietly(command, **kwargs):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kwargs)
    if done.returncode:
        sys.exit(done.stdout.decode(errors="replace"))


def install():
    missing = [package for package in PACKAGES if not is_installed(package)]
    if not missing and THREADED_BLAS.exists():
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    print("installing", *missing, flush=True)
    quietly(sudo + ["apt-get", "update", "-q"])
    if missing:
        quietly(sudo + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q",
                        "--no-install-recommends"] + missing)
    if not THREADED_BLAS.exists():
        unpack_threaded_blas()


def unpack_threaded_blas():
    """OpenBLAS with threads, for NumPy and as a floor: unpacked here and not installed, so that
    which BLAS the machine uses stays as it was"""
    print(f"unpacking libopenblas0-pthread into {BUILD}/", flush=True)
    (BUILD / "openblas").mkdir(parents=True, exist_ok=True)
    quietly(["apt-get", "download", "-q", "libopenblas0-pthread"], cwd=BUILD)
    for package in glob.glob(str(BUILD / "libopenblas0-pthread_*.deb")):
        quietly(["dpkg-deb", "-x", package, str(BUILD / "openblas")])
        os.remove(package)


def use_threaded_blas():
    """The dynamic linker reads this before a program starts: so starts ours again"""
    path, paths = str(THREADED_BLAS.resolve()), os.environ.get("LD_LIBRARY_PATH", "").split(":")
    if path not in paths:
        os.environ["LD_LIBRARY_PATH"] = ":".join([path] + [p for p in paths if p])
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-B"] + sys.argv)


# ---- building ----------------------------------------------------------------------------------

CC, CXX = os.environ.get("CC", "gcc"), os.environ.get("CXX", "g++")
BLAS_CFLAGS = os.environ.get("BLAS_CFLAGS", f"-I/usr/include/{MULTIARCH}/openblas-openmp").split()
BLAS_LIBS = os.environ.get("BLAS_LIBS", f"{OPENMP}/libopenblas.a -lgomp").split()
FLAGS = ["-O3", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-Iinclude", "-Iserver", "-Itests/bench"]
SERVER_LIBS = ["-lmicrohttpd", "-ljansson", "-lgnutls", "-l:libhiredis.a", "-lpthread", "-lm"]


def is_newer(target, sources):
    return target.exists() and all(target.stat().st_mtime >= os.stat(s).st_mtime for s in sources)


def make(target, sources, command):
    target = BUILD / target
    files = [s for s in sources if not s.startswith("-")]
    if not is_newer(target, files + glob.glob("tests/bench/*.h")):
        print("  build   ", target, flush=True)
        quietly(command + ["-o", str(target)])


def has_source(made):
    """Whether what an object was made of is still there: files move, builds stay."""
    base, page = os.path.relpath(made, OUT).removesuffix(".o"), made.removesuffix(".o") + ".html"
    return any(map(os.path.exists, (base + ".c", base + ".cc", page)))


def build():
    BUILD.mkdir(parents=True, exist_ok=True)
    library = [str(OUT / "liblayers.a")]
    objects = [o for o in glob.glob(f"{OUT}/server/**/*.o", recursive=True)
               if not o.endswith("/main.o") and has_source(o)]
    if not objects or not (OUT / "layerd").exists():
        sys.exit(f"tests/bench/run: {OUT}/layerd is missing; run `make all`, or `make bench`")

    source = "tests/bench/floor_http.c"
    make("floor_http", [source], [CC, "-std=c17", *FLAGS, source, "-lmicrohttpd"])

    # the BLAS that the library calls stays its own: NumPy brings another
    source = "tests/bench/shim.c"
    make("shim.so", [source] + library,
         [CC, "-std=c17", *FLAGS, *BLAS_CFLAGS, "-fPIC", "-shared", "-fopenmp", source, *library,
          "-Wl,--exclude-libs,ALL", *BLAS_LIBS, "-lm"])

    # the start files of -ffast-math would have the whole process take denormal numbers for 0
    source = "tests/bench/fused.c"
    make("fused.so", [source],
         [CC, "-std=c17", *FLAGS, "-march=native", "-ffast-math", "-nostartfiles", "-fopenmp",
          "-fPIC", "-shared", source, "-lm"])

    source = "tests/bench/numbers.cc"
    make("numbers", [source] + library + objects,
         [CXX, "-std=c++17", *FLAGS, source, *objects, *library, *BLAS_LIBS, "-lsimdjson",
          *SERVER_LIBS])
