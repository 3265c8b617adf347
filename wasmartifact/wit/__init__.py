"""WIT: the types of components as Python objects, read from rows, and written as text.

`types` has the objects, `read` makes them of the rows that an artifact has of a component, `text` prints them. Nothing
here is imported before somebody asks for types.
"""
