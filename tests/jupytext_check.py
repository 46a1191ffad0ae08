"""Checks every exercise and engine module with jupytext and nbgrader.

For each file: the notebook is written back as the same text (round trip); nbgrader's own reader accepts the
metadata of every cell; `nbgrader generate_assignment` removes the solutions, and its release version is the
tutor's starter. Not here: running cells, which needs a Rust kernel.
Usage: python tests/jupytext_check.py [FILE...]     exit code 0: all accepted, 1: not all, 77: a package is missing
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STUB = 'todo!("your code")'
CONFIG = f"""
c = get_config()
c.CourseDirectory.course_id = "tinytorch"
c.ClearSolutions.code_stub = {{"rust": {STUB!r}}}
c.ClearSolutions.enforce_metadata = True
"""


def modules():
    """Engine files with cells, and the exercises."""
    engine = sorted((ROOT / "src/tinytorch/src").glob("*.rs"))
    return [f for f in engine if "nbgrader=" in f.read_text()] + sorted((ROOT / "exercises").glob("*.rs"))


def notebook(path):
    """The file as a notebook, after checking that nothing is lost and that every cell's metadata is accepted."""
    import jupytext
    from nbgrader import nbgraderformat

    text = path.read_text()
    book = jupytext.reads(text, fmt="rs:percent")
    back = jupytext.writes(book, fmt="rs:percent")
    # The writer adds its version and the encoding, which are no part of the notebook.
    back = re.sub(r"^// -\*- coding: utf-8 -\*-\n|^//       jupytext_version: .*\n", "", back, flags=re.M)
    if back.strip() != text.strip():
        lines = zip(back.strip().splitlines(), text.strip().splitlines())
        line = next((n for n, (a, b) in enumerate(lines, 1) if a != b), "end")
        raise ValueError(f"line {line}: jupytext writes it differently")
    as_json = json.dumps(book)
    nbgraderformat.reads(as_json, as_version=4)
    unmarked = [n for n, cell in enumerate(book.cells) if "nbgrader" not in cell.metadata]
    if unmarked:
        raise ValueError(f"cells without metadata: {unmarked}")
    return book


def released(book, course):
    """The cells that nbgrader releases to students."""
    import nbformat

    source = course / "source" / "unit"
    source.mkdir(parents=True)
    nbformat.write(book, source / "module.ipynb")
    (course / "nbgrader_config.py").write_text(CONFIG)
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "unit", "--create", "--force"]
    # nbgrader starts a program from its own environment by its bare name.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    surroundings = os.environ | {"PATH": path}
    done = subprocess.run(command, cwd=course, env=surroundings, capture_output=True, text=True)
    if done.returncode != 0:
        raise ValueError("nbgrader generate_assignment: " + done.stderr.strip()[-2000:])
    return nbformat.read(course / "release" / "unit" / "module.ipynb", as_version=4).cells


def accept(path):
    book = notebook(path)
    if path.parent.name == "exercises":
        return
    with tempfile.TemporaryDirectory() as folder:
        cells = released(book, Path(folder))
    starter = (ROOT / "exercises" / exercise_of(path)).read_text()
    import jupytext

    ours = jupytext.reads(starter, fmt="rs:percent").cells
    if len(ours) != len(cells):
        raise ValueError(f"nbgrader releases {len(cells)} cells, the starter has {len(ours)}")
    for theirs, mine in zip(cells, ours):
        # nbgrader has one stub for all cells; ours names the cell.
        plain = re.sub(r'todo!\("[^"]*"\)', lambda _: STUB, mine.source)
        if theirs.source.strip() != plain.strip() and is_starter(mine):
            raise ValueError(f"{mine.metadata['nbgrader']['grade_id']}: nbgrader removes something else")


def is_starter(cell):
    """Whether the cell can be compared: a learner may have solved the exercise in this clone."""
    solution = cell.metadata["nbgrader"]["solution"]
    return not solution or "todo!(" in cell.source


def exercise_of(path):
    matches = [f.name for f in (ROOT / "exercises").glob(f"[0-9][0-9]_{path.stem}.rs")]
    if not matches:
        raise ValueError("it has no exercise: run `tinytorch-tutor author generate`")
    return matches[0]


def main(names):
    try:
        import jupytext  # noqa: F401
        import nbgrader  # noqa: F401
    except ImportError as error:
        print(f"skipped: {error} (pip install jupytext nbgrader)")
        return 77
    failed = 0
    files = [Path(name).resolve() for name in names] or modules()
    for path in files:
        try:
            accept(path)
            print(f"accepted  {path.relative_to(ROOT)}")
        except Exception as error:  # any exception of these packages is a verdict on the file
            failed += 1
            print(f"REFUSED   {path.relative_to(ROOT)}: {error}")
    print(f"{len(files) - failed} of {len(files)} files accepted by jupytext and nbgrader")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
