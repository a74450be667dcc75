"""Runs and groups of seeds side by side: which settings differ, by how much the figures do, and whether that is more
than chance. Reads run folders and writes nothing.
"""
