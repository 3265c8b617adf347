;; The part of the host module that no host class makes: a table with 64-bit indices.
(module (table (export "table64") i64 10 20 funcref))
