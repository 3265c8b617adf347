"""Components: decoding, linking and flattening into one core module, and the columns that describe the rest.

`flow` has the order. `decode` reads the format into `model`, `link` finds what each core instance gets, `flatten`
writes the module with `rewrite`, `shims` and `abi`, and `describe` makes the columns.
"""
