"""Programs that work in other namespaces and roots, on hostile files, and what they are made of.

They are run by file, each in a process of its own, and import nothing of Gureum but each other: an
import takes longer than what they do.
"""
