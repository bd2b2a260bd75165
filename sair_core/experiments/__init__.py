"""The papers' experiments: trains what a table or figure needs, measures it, and writes both.

`sair evaluate tables` and `sair evaluate ablation`; each goes on where it was stopped.
"""
