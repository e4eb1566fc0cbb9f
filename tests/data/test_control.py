import pandas as pd

from brain_tumor.data.labels import random_labels


def test_random_labels_are_one_a_group_and_of_all_classes():
    table = pd.DataFrame({"label": [*"abc"] * 100, "group": [str(n // 2) for n in range(300)]})

    drawn = random_labels(table, 0)

    assert drawn.groupby("group")["label"].nunique().max() == 1
    assert drawn["label"].value_counts().between(60, 140).all()
    assert random_labels(table.sample(frac=1, random_state=1), 0).sort_index()["label"].equals(drawn["label"])
    assert not random_labels(table, 1)["label"].equals(drawn["label"])
