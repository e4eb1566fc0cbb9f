"""What to do with a finished run: three commands, ready to be copied."""

import shlex
from pathlib import Path

from brain_tumor.evaluation.report.console import show


def show_next_commands(run_dir: Path, *, generated: bool = False) -> None:
    """Print three commands that use a run.

    Args:
        run_dir: Run directory; named from the working directory where that holds it.
        generated: Whether its images are generated, so that images of the user come next.
    """
    inside = run_dir.is_relative_to(Path.cwd())
    run = shlex.quote(str(run_dir.relative_to(Path.cwd()) if inside else run_dir))
    commands = {
        f"brain-tumor predict bundle={run} SCANS report=answers.html": "answers and maps for files and folders",
        f"brain-tumor serve bundle={run}": "a page to drop scans on, and HTTP",
        **(
            {"brain-tumor init DIR": "images of yours: audit, proposed settings, commands"}
            if generated
            else {f"brain-tumor compare {run} OTHER_RUN": "is another run better, or is it chance?"}
        ),
    }
    lines = [f"  {command}  # {purpose}" for command, purpose in commands.items()]
    show("\n".join(["Next:", *lines]), soft_wrap=True)
