"""Runs notebooks from top to bottom without a screen and fails where a cell does. Outputs go to the folder given, never into the notebook.

Usage: run.py OUT NOTEBOOK...   (WEIR_BIN and WEIR_DATA_DIR tell the notebooks what to read)
"""

import pathlib
import sys

import nbformat
from nbclient import NotebookClient


def main(out, *paths):
    for path in map(pathlib.Path, paths):
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}).execute()
        nbformat.write(notebook, pathlib.Path(out) / path.name)
        print(f"{path.name}: {sum(c.cell_type == 'code' for c in notebook.cells)} cells ran")


if __name__ == "__main__":
    main(*sys.argv[1:])
