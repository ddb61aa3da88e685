"""What an accelerator makes of the whole product: `python -m benchmarks.attack --device-report`.

`report` runs the parts, in the order of their importance, for as long as there is time; each part
is a module, gives rows and knows nothing of the others.
"""
