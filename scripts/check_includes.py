#!/usr/bin/env python3
"""Checks who includes whom. A folder of host/ includes itself and what its row of LADDER names; a
library's headers appear in one folder and in no header that another folder includes; a source file
includes its own header first. Prints file:line of every breach and exits 1 if there is one."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

LADDER = {
    "util": [],
    "tensor": ["util", "kernels"],
    "graph": ["util", "tensor", "kernels"],
    "import": ["util", "tensor", "graph"],
    "models": ["util", "tensor", "graph", "import"],
    "backend": ["util", "tensor", "graph", "kernels"],
    "quant": ["util", "tensor", "graph", "backend", "kernels"],
    "dataset": ["util"],
    "result": ["util"],
    "check": ["util", "tensor", "graph", "backend", "kernels"],
    "sweep": ["util", "tensor", "graph", "backend", "quant", "dataset", "models", "result",
              "kernels"],
    "cli": ["util", "tensor", "graph", "import", "models", "backend", "quant", "dataset", "result",
            "check", "sweep", "kernels"],
    "main.c": ["cli"],
    "kernels": [],
}
# Header of a library: the one folder that may include it.
LIBRARIES = {
    r"dnnl\.h|oneapi/": "backend",
    r"hdf5\.h|H5.*\.h": "import",
    r"cjson/|cJSON\.h": "import",
    r"onnx/onnx\.pb-c\.h|protobuf-c/": "import",
    r"cyaml/|yaml\.h": "sweep",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def folder_of(path):
    """The row of LADDER that a file of ours belongs to."""
    parts = path.relative_to(ROOT).parts
    return "kernels" if parts[0] == "kernels" else parts[1]


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if found and not found.group(2).endswith(".def"):
            yield number, found.group(1) == '"', found.group(2)


def target_folder(name):
    return "kernels" if name.startswith("kernels/") else name.split("/")[0]


def check_file(path, public, breaches):
    folder = folder_of(path)
    own = path.with_suffix(".h")
    for position, (number, ours, name) in enumerate(includes(path)):
        where = f"{path.relative_to(ROOT)}:{number}"
        library = next((f for p, f in LIBRARIES.items() if re.match(p, name)), None)
        if library:
            if folder != library:
                breaches.append(f"{where}: {name} belongs to host/{library}")
            elif path in public:
                breaches.append(f"{where}: {name} in a header that other folders include")
            continue
        if not ours:
            continue
        if "/" not in name:
            breaches.append(f'{where}: "{name}" is not named from host/')
            continue
        target = target_folder(name)
        if target != folder and target not in LADDER[folder]:
            breaches.append(f"{where}: {folder} may not include {target} ({name})")
        mine = own.exists() and path.suffix == ".c" and name == str(own.relative_to(ROOT / "host"))
        if mine and position != 0:
            breaches.append(f"{where}: a file's own header comes first")


def main():
    files = sorted(p for folder in ("host", "kernels") for p in (ROOT / folder).rglob("*.[ch]"))
    unknown = {folder_of(p) for p in files} - set(LADDER)
    if unknown:
        sys.exit(f"check_includes.py: no row in LADDER for {', '.join(sorted(unknown))}")
    public = {ROOT / "host" / name for path in files for _, ours, name in includes(path)
              if ours and target_folder(name) != folder_of(path)}
    breaches = []
    for path in files:
        check_file(path, public, breaches)
    print("\n".join(breaches) if breaches else f"{len(files)} files keep the ladder")
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
