"""The paper's four figures, drawn from plain tables and arrays; one module, one ``draw``, a figure."""
