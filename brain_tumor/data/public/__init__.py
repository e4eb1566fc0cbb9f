"""Public data sets: their published facts, their layout on disk, and their download.

Importing this package is cheap; pandas and the readers are imported when a set is read.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brain_tumor.data.listing import Listing

log = logging.getLogger(__name__)


def public_set(name: str, root: str | Path) -> "Listing":
    """Read the samples of a downloaded and unpacked public set, and log its licence, citation and differences.

    Args:
        name: Key of `brain_tumor.data.public.registry.SETS`, as in ``data=NAME``.
        root: Folder of the unpacked set; it may contain wrapper folders.

    Returns:
        Samples table, and files that are not used. Labels have their canonical spelling, ``split`` is the published
        one, ``source`` the name of the set; ``patient_id``, ``plane`` and ``mask_path`` are filled where the set
        provides them.

    Raises:
        DataError: There is no such set, or ``root`` does not have its layout.
    """
    from brain_tumor.data.public.compare_with_published import differences
    from brain_tumor.data.public.layouts import existing_folder, read_samples
    from brain_tumor.data.public.registry import find_set

    dataset = find_set(name)
    listing = read_samples(dataset, existing_folder(root))
    log.info("%s: licence %s. Cite: %s.", dataset.name, dataset.licence, dataset.citation)
    differing = differences(dataset, listing.samples)
    if differing:
        log.warning("%s differs from the published set: %s.", root, "; ".join(differing))
    return listing
