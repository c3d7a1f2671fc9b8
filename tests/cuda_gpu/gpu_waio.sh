#!/usr/bin/env bash
# Runs waio with the arguments given, on a device. Skipped where none can be used.
set -u
why=$("$WAIO" info | sed -n 's/^ *cuda  *not used: //p')
if [ -n "$why" ]; then
  echo "skipped: no CUDA device ($why)"
  exit 77
fi
exec "$WAIO" "$@"
