#!/usr/bin/env python3
"""Checks the thesis's findings on results files of waio: each is confirmed, refuted or not testable
here, with its rows.

    findings.py results/thesis-objective-2-ptq.csv [MORE.csv ...] [--markdown]

Exit status 0, whatever the verdicts; 1 if a file cannot be read. No package is needed.
"""
import argparse
import sys

from figures.rows import FileError, read_any
from report.findings import check

MOST = 12  # rows shown of a finding; --all shows every one


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", help="results files (CSV)")
    parser.add_argument("--markdown", action="store_true", help="a list for a page of docs")
    parser.add_argument("--all", action="store_true", help="every row of a finding")
    args = parser.parse_args()
    rows = []
    try:
        for path in args.results:
            kind, some = read_any(path)
            if kind != "results":
                raise FileError(f"{path}: not a results file")
            rows += some
    except FileError as error:
        sys.exit(f"findings.py: {error}")
    for finding in check(rows):
        against = [text for text in finding.lines if text.startswith("against: ")]
        lines = against + [text for text in finding.lines if text not in against]
        lines = list(dict.fromkeys(lines))
        shown = lines if args.all else lines[:MOST]
        bullet = "- " if args.markdown else "  "
        head = f"**{finding.title}: {finding.verdict}**" if args.markdown else \
            f"{finding.title}: {finding.verdict.upper()}"
        print(f"{head}\n{bullet}{finding.claim}")
        for text in shown:
            print(f"{bullet}{text}")
        if len(shown) < len(lines):
            print(f"{bullet}({len(lines) - len(shown)} more rows; --all shows them)")
        print()


if __name__ == "__main__":
    main()
