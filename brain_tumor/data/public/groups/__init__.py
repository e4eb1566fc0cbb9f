"""Curated groups of public sets: which images are duplicates or of one patient, known as soon as a set is read.

The published splits of these sets put duplicates of one image, and images of one patient, into both train and test.
`brain_tumor.data.public.groups.filling.apply_groups` fills the samples table with the groups that must stay together
and, where a complete set is recognised, with leak-free folds.

How the groups were made:

- Near-duplicates are images whose 64 × 64 grey thumbnails correlate ≥ 0.99 in one of four mirror orientations, or
  ≥ 0.98 on the box around the head. On the 3,064 distinct slices of cheng this finds no false pair.
- Near-duplicates of a slice of cheng are of its patient (``cheng_patient_group``: ids with a trailing letter, such as
  MR040240B, are the same patient).
- ``leak_group`` links all images with a correlation ≥ 0.96, and all images of one such patient. The sets have common
  group numbers, so that they can be joined.
- ``fold5`` is scikit-learn's ``StratifiedGroupKFold(5)`` on ``leak_group`` within one set, seed 0. Folds of two sets
  do not agree, so joined sets get groups but no folds.

The groups are rather too large than too small: two healthy people whose slices look alike may share a group. They are
no proof; ``brain-tumor audit`` verifies them.

The tables, one ``tables/SET.csv.xz`` per set, made by ``python -m brain_tumor.data.public.groups``, contain no images
and no addresses: only the first 16 hexadecimal digits of the sha256 of each original file, group, fold, and the
pseudonyms that cheng publishes (J. Cheng, figshare 1512427, CC BY 4.0). These 64 bits are different for all 11,882
files (the probability of a collision was 4 in 10¹²); the probability that one of a million other images is mistaken
for one of them is below 1 in 10⁹.

A ``groups.csv`` in the data folder has precedence; see `brain_tumor.data.public.groups.from_file`.
"""
