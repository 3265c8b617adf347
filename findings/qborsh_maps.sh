#!/usr/bin/env bash
# qborsh 1.0.1 beside borsh-construct 0.1.0: maps of qborsh are not Borsh: each key and each value has its size in front, and
# the entries stand in the order in which they were put in.
# Guess: the bytes of the specification, which both packages name: entries in the order of their keys, nothing between them.
# Seen: structs, strings and lists agree; maps don't, and neither do sets. Only qborsh reads them.
. "$(dirname "$0")/lib/scratch.sh"
install qborsh==1.0.1 borsh-construct==0.1.0
cat > look.py << 'PY'
import borsh_construct as other
import qborsh

print("list", qborsh.Vector[qborsh.String].encode(["b", "a"]) == other.Vec(other.String).build(["b", "a"]))
entries = {"b": 1, "a": 2}
print("map, qborsh         ", bytes(qborsh.Map[qborsh.String, qborsh.U8].encode(entries)).hex(" "))
print("map, borsh-construct", other.HashMap(other.String, other.U8).build(entries).hex(" "))
PY
python look.py > seen
expect << 'SEEN'
list True
map, qborsh          02 00 00 00 05 00 00 00 01 00 00 00 62 01 00 00 00 01 05 00 00 00 01 00 00 00 61 01 00 00 00 02
map, borsh-construct 02 00 00 00 01 00 00 00 61 02 01 00 00 00 62 01
SEEN
