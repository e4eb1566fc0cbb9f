"""Pages, checklists, figures and terminal tables of results; nothing here changes a result.

`page`, `format`, `names`, `raster` and `headlines` know no matplotlib: serving writes its card and page with them.
"""
