#!/usr/bin/env bash
# CPython 3.11 to 3.13: a KeyboardInterrupt that comes while exec or eval runs a text, and that the program catches, ends the program
# by SIGINT (status 130) when it has done everything else; while they run a code object it does not.
# Guess: what was caught is over; the status is that of the program's end.
# Seen: the interpreter keeps in mind that a text was interrupted. dataclasses and namedtuple run texts, so that Ctrl-C at the wrong moment
# makes a program that says it went on fail for whoever looks at its status.
. "$(dirname "$0")/lib/scratch.sh"
cat > interrupted.py << 'PY'
import signal
import sys

TEXT = "import signal; signal.raise_signal(signal.SIGINT)"
try:
    exec(TEXT if sys.argv[1] == "text" else compile(TEXT, "text", "exec"))
except KeyboardInterrupt:
    print(sys.argv[1], "caught")
PY
for kind in text code; do
    status=0
    "${PYTHON:-python3}" interrupted.py "$kind" >> seen || status=$?
    echo "$kind status $status" >> seen
done
expect << 'SEEN'
text caught
text status 130
code caught
code status 0
SEEN
