"""Pages, checklists, figures and terminal tables of results; nothing here changes a result.

`page`, `format` and `headlines` know no matplotlib: serving writes its model card with them.
"""
