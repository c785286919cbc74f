#!/bin/sh
# step.sh NAME COMMAND...: says what runs, runs it, says how long it took.
set -u

name=$1
shift
echo "== $name: $*"
start=$(date +%s)
"$@"
status=$?
took=$(($(date +%s) - start))
if [ "$status" -eq 0 ]; then
    echo "   $name: ok, ${took} s"
else
    echo "   $name: FAILED (exit $status), ${took} s" >&2
fi
exit "$status"
