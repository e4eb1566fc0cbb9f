"""Where the configuration lies."""

from pathlib import Path

import brain_tumor

_PACKAGE = Path(brain_tumor.__file__).parent
CONF_DIR = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"
"""Directory of the configuration: in an installed package, or beside it in a checkout."""
