"""Public data sets: what is published of them, how they lie on disk, and how they are fetched.

Importing this costs nothing; pandas and the readers come when a set is read.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def public_set(name: str, root: str | Path) -> "pd.DataFrame":
    """Samples of a public set as it was downloaded and unpacked, with all that is known of them.

    Labels are in canonical spelling; ``split`` is the published one, ``source`` the set's name, ``patient_id``,
    ``plane`` and ``mask_path`` are filled where the set tells them. Licence, citation and what differs from the
    published counts are logged.

    Args:
        name: Of a set in `brain_tumor.data.public.registry`, as in ``data=NAME``.
        root: Folder it was unpacked to; wrapper folders are passed through.

    Returns:
        A samples table.

    Raises:
        DataError: There is no such set, or what lies at ``root`` is not laid out like it.
    """
    from brain_tumor.data.public.layouts import load

    return load(name, root)
