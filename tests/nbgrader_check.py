"""Takes a class through the real nbgrader beside the tutor, and compares their gradebooks.

Each module becomes an assignment of nbgrader's. Students hand in what the tutor collects; nbgrader's own
`generate_assignment` and `autograde` accept the same files as notebooks, all but running the cells, which needs a Rust
kernel. The tutor grades them, and what `gradebook export --format csv` writes is entered through nbgrader's `Gradebook`:
each id must name a grade cell there, with the same points, and each grade cell must have a row.
Usage: python tests/nbgrader_check.py TUTOR     exit code 0: the gradebooks agree, 1: not, 77: a package is missing
"""

import csv
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Longer than what is graded: so each cell of each module gets a row, and nothing is compiled.
TOO_LONG = "// " + 600 * 1024 * "-" + "\n"
# The modules that are also graded in earnest.
GRADED = ["00_setup", "01_tensor"]


class Class:
    def __init__(self, tutor, folder):
        self.tutor, self.folder = tutor, folder
        self.modules = sorted(path.stem for path in (ROOT / "exercises").glob("[0-9][0-9]_*.rs"))

    def run(self, *arguments):
        done = subprocess.run([self.tutor, *arguments], cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise ValueError(f"{' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def hand_in(self):
        """Eve hands in every module; Ada's are solved and Bob's are not."""
        for module in self.modules:
            self.write(f"in/eve/{module}.rs", TOO_LONG)
        for module in GRADED:
            self.write(f"in/ada/{module}.rs", reference(module))
            self.write(f"in/bob/{module}.rs", (ROOT / "exercises" / f"{module}.rs").read_text())
        self.write("roster.csv", "id,name,email\nada,,\nbob,,\neve,,\n")

    def grade(self):
        """The rows of the tutor's gradebook."""
        collect = [self.tutor, "collect", "in", "--roster", "roster.csv", "--to", "collected"]
        # Its exit code is 1: Ada and Bob have not handed in every module.
        subprocess.run(collect, cwd=self.folder, capture_output=True)
        self.run("grade", "collected", "--out", "results", "--no-sandbox")
        self.run("gradebook", "import", "results")
        self.run("gradebook", "export", "--format", "csv", "--out", "grades.csv")
        with open(self.folder / "grades.csv", newline="") as file:
            return list(csv.DictReader(file))

    def write(self, path, text):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def reference(module):
    return (ROOT / "src/tinytorch/src" / f"{module[3:]}.rs").read_text()


class Course:
    """The same class in nbgrader."""

    def __init__(self, folder):
        from nbgrader.apps import NbGraderAPI
        from traitlets.config import Config

        config = Config()
        config.CourseDirectory.root = str(folder)
        config.CourseDirectory.course_id = "tinytorch"
        config.ClearSolutions.code_stub = {"rust": 'todo!("your code")'}
        # Everything but running the cells.
        config.Autograde.autograde_preprocessors = [
            "nbgrader.preprocessors.LimitOutput",
            "nbgrader.preprocessors.SaveAutoGrades",
            "nbgrader.preprocessors.CheckCellMetadata",
        ]
        config.Application.log_level = 50
        self.folder, self.api = folder, NbGraderAPI(config=config)

    def notebook(self, path, text):
        import jupytext
        import nbformat

        book = jupytext.reads(text, fmt="rs:percent")
        # The kernel that nbgrader's reader asks for by name; nothing is started.
        book.metadata["kernelspec"] = {"name": "rust", "display_name": "Rust", "language": "rust"}
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(book, path)

    def release(self, module):
        self.notebook(f"source/{module}/{module}.ipynb", reference(module))
        succeeds(self.api.generate_assignment(module, force=True, create=True), f"generate_assignment {module}")

    def autograde(self, module, student, text):
        self.notebook(f"submitted/{student}/{module}/{module}.ipynb", text)
        succeeds(self.api.autograde(module, student, force=True, create=True), f"autograde {module} {student}")

    def enter(self, rows):
        """Enters the tutor's grades; returns what does not fit."""
        from nbgrader.api import MissingEntry

        problems = []
        with self.api.gradebook as book:
            for row in rows:
                module, student, cell = row["assignment"], row["student_id"], row["grade_id"]
                book.update_or_create_student(student)
                book.update_or_create_submission(module, student)
                try:
                    grade = book.find_grade(cell, module, module, student)
                except MissingEntry as error:
                    problems.append(str(error))
                    continue
                if grade.max_score != float(row["max_score"]):
                    problems.append(f"{module} {cell}: {grade.max_score} points, the tutor has {row['max_score']}")
                grade.auto_score, grade.needs_manual_grade = float(row["score"]), False
            book.db.commit()
        return problems

    def differences(self, rows):
        """Where the totals or the cells of the two gradebooks differ, read again from nbgrader's file."""
        problems = []
        with self.api.gradebook as book:
            for module, student in sorted({(row["assignment"], row["student_id"]) for row in rows}):
                ours = [row for row in rows if (row["assignment"], row["student_id"]) == (module, student)]
                theirs = book.find_submission(module, student)
                points = sum(float(row["score"]) for row in ours), sum(float(row["max_score"]) for row in ours)
                if points != (theirs.score, theirs.max_score):
                    problems.append(f"{module} {student}: {points}, nbgrader has {theirs.score, theirs.max_score}")
                cells = {grade.name for notebook in theirs.notebooks for grade in notebook.grades}
                missing = cells - {row["grade_id"] for row in ours}
                if missing:
                    problems.append(f"{module} {student}: no row for {sorted(missing)}")
        return problems


def succeeds(result, what):
    if not result["success"]:
        raise ValueError(f"nbgrader {what}: {result.get('error') or result.get('log')}")


def main(tutor):
    try:
        import jupytext  # noqa: F401
        import nbgrader  # noqa: F401
    except ImportError as error:
        print(f"skipped: {error} (pip install jupytext nbgrader)")
        return 77
    # About its own use of its database.
    warnings.filterwarnings("ignore", module="nbgrader")
    # nbgrader starts programs of its own environment by their bare names.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Class(tutor, Path(folder)), Course(Path(folder) / "course")
        theirs.folder.mkdir()
        ours.hand_in()
        rows = ours.grade()
        for module in ours.modules:
            theirs.release(module)
        for module in GRADED:
            for student in ["ada", "bob"]:
                theirs.autograde(module, student, (Path(folder) / f"in/{student}/{module}.rs").read_text())
        problems = theirs.enter(rows) + theirs.differences(rows)
        solved = sum(float(row["score"]) for row in rows if row["student_id"] == "ada")
        if {row["assignment"] for row in rows} != set(ours.modules) or not solved:
            problems.append("the tutor's gradebook lacks a module, or gives no points")
    for problem in problems:
        print(f"DIFFERS  {problem}")
    cells = len({(row["assignment"], row["grade_id"]) for row in rows})
    print(f"{len(ours.modules)} assignments, {cells} grade cells, {len(rows)} grades: {len(problems)} differences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(str(Path(sys.argv[1]).resolve())))
