"""Which comment of a YAML file belongs to which key."""

from brain_tumor.config.comments import yaml_comments

TEXT = """\
# @package _global_
# The file:
#   an example

defaults:
  - _self_ # of the list
# above,
# two lines
a: 1

b: "x # y" # behind
c: ${seed} # behind,
           # goes on
d:
e: # a table
  # above f
  f: [1, 2] # a list
  g: {p: 0.5} # a flow table
  h: 3
#unspaced
i: ''
"""


def test_comments_of_keys():
    assert yaml_comments(TEXT) == {
        "": "The file: an example",
        "a": "above, two lines",
        "b": "behind",
        "c": "behind, goes on",
        "e": "a table",
        "e.f": "a list",
        "e.g": "a flow table",
        "i": "unspaced",
    }


def test_a_file_of_comments_alone():
    assert yaml_comments("# nothing here\n") == {"": "nothing here"}


def test_an_empty_file():
    assert yaml_comments("") == {"": ""}
