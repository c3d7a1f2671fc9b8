#!/usr/bin/env python3
"""Checks who includes whom: the tables below. Prints file:line of every breach and exits 1 if there
is one.

- A folder of host/ includes itself and what its row of LADDER names, so brothers never include each
  other. A row names nothing above it: the ladder has no circle.
- A library's headers appear in its folders alone, and in no header that another folder sees, be it through
  other headers.
- Ours stand in quotes and are named from host/ (or "kernels/..."), and exist; the system's and the
  libraries' stand in angle brackets.
- A source file includes its own header first; after it the system's, then ours.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

LADDER = {
    "kernels": [],
    "util": [],
    "tensor": ["util", "kernels"],
    "graph": ["util", "tensor", "kernels"],
    "import": ["util", "tensor", "graph"],
    "export": ["util", "tensor", "graph", "kernels"],
    "models": ["util", "tensor", "graph", "import"],
    "backend": ["util", "tensor", "graph", "kernels"],
    "quant": ["util", "tensor", "graph", "backend", "kernels"],
    "dataset": ["util"],
    "metric": ["util", "tensor", "dataset"],
    "result": ["util"],
    "check": ["util", "tensor", "graph", "import", "models", "backend", "kernels"],
    "sweep": ["util", "tensor", "graph", "import", "export", "models", "backend", "quant",
              "dataset", "metric", "result", "kernels"],
    "cli": ["util", "tensor", "graph", "import", "models", "backend", "quant", "dataset", "metric",
            "result", "check", "export", "sweep"],
    "main.c": ["cli"],
    "tests": ["util", "tensor", "graph", "import", "export", "models", "backend", "quant",
              "dataset", "metric", "result", "check", "sweep", "cli", "kernels"],
}
# Headers of a library: the folders that may include them.
LIBRARIES = {
    r"(oneapi/)?dnnl": ("backend",),
    r"hdf5|H5": ("import",),
    r"cjson/|cJSON": ("import", "metric", "models"),
    r"onnx/|protobuf-c/": ("import", "export"),
    r"cyaml/|yaml": ("sweep",),
    r"jpeglib|png|expat": ("dataset",),
    r"cuda|cublas|cudnn": ("backend", "kernels"),
}
SOURCES = (".c", ".cu", ".cpp")
SUFFIXES = (*SOURCES, ".h", ".cuh")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


CODE = re.compile(r"^[A-Za-z_].*[;{(]\s*$|^[a-z_].*\(")


class File:
    """A source file: its folder, its includes as (line number, in quotes, name), and the line
    where code begins: what is included below it stands there for a reason."""

    def __init__(self, path):
        self.path = path
        parts = path.relative_to(ROOT).parts
        self.folder = parts[1] if parts[0] == "host" else parts[0]
        lines = path.read_text(encoding="utf-8").splitlines()
        found = ((number, INCLUDE.match(line)) for number, line in enumerate(lines, 1))
        self.code_begins = next((n for n, line in enumerate(lines, 1) if CODE.match(line)),
                                len(lines) + 1)
        self.includes = [(n, m.group(1) == '"', m.group(2)) for n, m in found if m]

    def place(self, number):
        return f"{self.path.relative_to(ROOT)}:{number}"

    def find(self, name):
        """The file of ours that a name means, None if there is none. Tests name their own headers
        from tests/."""
        for base in (ROOT / "host", ROOT, *([ROOT / "tests"] if self.folder == "tests" else [])):
            if (base / name).is_file():
                return base / name
        return None


def library_of(name):
    """The folders that may include a library's header `name`; none if it is no such header."""
    return next((folders for start, folders in LIBRARIES.items() if re.match(start, name)), ())


def seen_from_outside(files):
    """Headers that another folder includes, and those that come with them."""
    by_path = {file.path: file for file in files}
    seen, ahead = set(), [target for file in files for _, _, name in file.includes
                          if (target := by_path.get(file.find(name)))
                          and target.folder != file.folder]
    while ahead:
        file = ahead.pop()
        if file not in seen:
            seen.add(file)
            ahead += [by_path[path] for _, _, name in file.includes
                      if (path := file.find(name)) in by_path]
    return seen


def check_one(file, number, quoted, name, public):
    """The breach of one include as a text, None if there is none."""
    target = file.find(name)
    if target:
        parts = target.relative_to(ROOT).parts
        folder = parts[1] if parts[0] == "host" else parts[0]
        if not quoted:
            return f"<{name}> is ours and stands in quotes"
        if folder != file.folder and folder not in LADDER[file.folder]:
            return f"{file.folder} may not include {folder} ({name})"
        return None
    library = library_of(name)
    if quoted and not library:  # ONNX's schema is compiled at build time and stands in quotes
        return f'"{name}": no such file under host/ (ours are named from there)'
    if library and file.folder not in (*library, "tests"):
        return f"<{name}> belongs to host/{', host/'.join(library)}"
    if library and file in public and file.folder != "kernels":  # launchers speak CUDA's types
        return f"<{name}> in a header that other folders see"
    return None


def check_order(file):
    """Own header first (x.h or x_internal.h of x.c), then the system's, then ours."""
    own = file.path.with_suffix(".h")
    internal = own.with_name(f"{own.stem}_internal.h")
    rest = [include for include in file.includes if include[0] < file.code_begins]
    if file.path.suffix in SOURCES and own.is_file():
        if not rest or file.find(rest[0][2]) not in (own, internal):
            yield (rest[0][0] if rest else 1), f"its own header {own.name} comes first"
        rest = rest[1:]
    elif file.path.suffix in SOURCES and rest and rest[0][1]:
        rest = rest[1:]  # a header shared by several files, as ref.h, may take that place
    ours_before = False
    for number, quoted, name in rest:
        if not quoted and ours_before:
            yield number, f"<{name}> comes before ours"
        ours_before = ours_before or (quoted and not name.endswith(".def"))


def check_ladder():
    rows = list(LADDER)
    for row, below in LADDER.items():
        for name in below:
            if rows.index(name) >= rows.index(row):
                sys.exit(f"check_includes.py: LADDER lets {row} include {name}, which stands above")


def main():
    check_ladder()
    files = [File(path) for folder in ("host", "kernels", "tests")
             for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SUFFIXES]
    unknown = {file.folder for file in files} - set(LADDER)
    if unknown:
        sys.exit(f"check_includes.py: no row in LADDER for {', '.join(sorted(unknown))}")
    public = seen_from_outside(files)
    breaches = []
    for file in files:
        found = [(number, check_one(file, number, quoted, name, public))
                 for number, quoted, name in file.includes]
        found = [(number, text) for number, text in found if text] + list(check_order(file))
        breaches += [f"{file.place(number)}: {text}" for number, text in sorted(found)]
    print("\n".join(breaches) if breaches else f"{len(files)} files keep the ladder")
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
