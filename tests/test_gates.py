"""What the code may not do, and how each room must open. Every gate is shown able to fail."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = sorted(path.parent for path in (ROOT / "surgplan").glob("*/__init__.py"))
WITH_NETWORKS = {"segmentation", "synthesis", "training", "fleet"}
LIGHT = ["surgplan", "surgplan.errors"]
LIGHT += [f"surgplan.{room.name}" for room in ROOMS if room.name not in WITH_NETWORKS]
LIGHT += ["napari_surgplan"]


def python_files() -> list[Path]:
    """Every file of Python that we ship or run, the scripts without a suffix included."""
    folders = ("surgplan", "plugins", "scripts", "benchmarks")
    found = [p for folder in folders for p in (ROOT / folder).rglob("*.py")]
    for script in (ROOT / "scripts").iterdir():
        if script.is_file() and not script.suffix and "python" in script.read_text()[:40]:
            found.append(script)
    return sorted(found)


# --- import weight


HEAVY = ("torch", "monai", "PySide6", "PyQt6", "qtpy", "napari")
PROBE = """
import importlib, json, sys
heavy = {heavy!r}
found = {{}}
for name in {names!r}:
    importlib.import_module(name)
    loaded = sorted(set(heavy) & set(sys.modules))
    if loaded:
        found[name] = loaded
print(json.dumps(found))
"""


def heavy_imports(names: list[str], heavy: tuple[str, ...], *, path: Path | None = None) -> dict:
    """Which of the heavy packages are loaded once each of the modules has been imported."""
    environment = dict(os.environ) | ({"PYTHONPATH": str(path)} if path else {})
    result = subprocess.run(
        [sys.executable, "-c", PROBE.format(heavy=heavy, names=names)],
        check=False, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_no_torch_and_no_window_system_at_the_doors() -> None:
    assert heavy_imports(LIGHT, HEAVY) == {}


def test_the_command_line_loads_no_vtk_either() -> None:
    heavy = (*HEAVY, "vtkmodules", "pyvista", "SimpleITK", "scipy", "skimage", "matplotlib")
    assert heavy_imports(["surgplan", "surgplan.cli"], heavy) == {}


def test_the_import_gate_can_fail(tmp_path) -> None:
    (tmp_path / "torch.py").touch()
    (tmp_path / "careless.py").write_text("def f():\n    pass\nimport torch\n")
    assert heavy_imports(["json", "careless"], HEAVY, path=tmp_path) == {"careless": ["torch"]}


# --- nothing that data could make run


RUNS_DATA = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_NAMES = {"eval", "exec", "__import__"}
FORBIDDEN_CALLS = {
    "yaml.load", "yaml.unsafe_load", "yaml.full_load", "torch.load", "torch.jit.load",
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput",
    "tempfile.mktemp",
}  # fmt: skip


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """``torch.load`` for the call of it, whatever the module was imported as."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, names)}.{node.attr}"
    return ""


def imported_names(tree: ast.Module) -> dict[str, str]:
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of every module that is imported, by `importlib.import_module` too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            named = node.args and isinstance(node.args[0], ast.Constant)
            yield node.lineno, str(node.args[0].value) if named else "a module named by data"


def modules_imported_late(tree: ast.AST) -> set[tuple[int, str]]:
    """Those of `imported_modules` that lie inside a function."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    return {found for function in functions for found in imported_modules(function)}


def constant(call: ast.Call, keyword: str, default: object) -> object:
    """Value of a keyword; where it is an expression, the text of it."""
    for given in call.keywords:
        if given.arg == keyword:
            is_constant = isinstance(given.value, ast.Constant)
            return given.value.value if is_constant else ast.unparse(given.value)
    return default


# Reads the weights of other people's models once, as plain data, to store them as safetensors.
READS_TORCH_FILES = ROOT / "surgplan" / "segmentation" / "_foreign.py"


def dangers(source: str, *, reads_torch_files: bool = False) -> list[str]:
    """Line and reason of everything in a file that could run or unpack what data says."""
    tree = ast.parse(source)
    names = imported_names(tree)
    found = [
        (line, f"import {module}")
        for line, module in imported_modules(tree)
        if module.split(".")[0] in RUNS_DATA
    ]
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = dotted(call.func, names)
        is_plain = constant(call, "weights_only", None) is True
        if reads_torch_files and name == "torch.load" and is_plain:
            continue
        if name in FORBIDDEN_NAMES | FORBIDDEN_CALLS or name.removeprefix("builtins.") in (
            FORBIDDEN_NAMES
        ):
            found.append((call.lineno, name))
        if constant(call, "shell", False) is not False:
            found.append((call.lineno, "shell=True"))
        if constant(call, "allow_pickle", False) is not False:
            found.append((call.lineno, "allow_pickle"))
        if constant(call, "weights_only", True) is not True:
            found.append((call.lineno, "weights_only"))
        unpacks = name.endswith((".extractall", "unpack_archive"))
        if unpacks and constant(call, "filter", None) != "data":
            found.append((call.lineno, "unfiltered extractall"))
    return [f"{line}: {reason}" for line, reason in sorted(found)]


@pytest.mark.parametrize("path", python_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_can_run_what_data_says(path) -> None:
    assert dangers(path.read_text(), reads_torch_files=path == READS_TORCH_FILES) == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import pickle", "import pickle"),
        ("def f():\n    from pickle import loads", "import pickle"),
        ("import joblib.numpy_pickle as n", "import joblib.numpy_pickle"),
        ("eval(text)", "eval"),
        ("exec(text)", "exec"),
        ("import builtins\nbuiltins.eval(text)", "builtins.eval"),
        ("import yaml\nyaml.load(text)", "yaml.load"),
        ("from yaml import load as read\nread(text)", "yaml.load"),
        ("import torch as t\nt.load(path)", "torch.load"),
        ("import torch.jit\ntorch.jit.load(path)", "torch.jit.load"),
        ("from torch import load\nload(path)", "torch.load"),
        ("import torch\nx(path, weights_only=False)", "weights_only"),
        ("import subprocess\nsubprocess.run(words, shell=True)", "shell=True"),
        ("import subprocess\nsubprocess.run(words, shell=flag)", "shell=True"),
        ("import os\nos.system(words)", "os.system"),
        ("import numpy\nnumpy.load(path, allow_pickle=True)", "allow_pickle"),
        ("archive.extractall(folder)", "unfiltered extractall"),
        ("archive.extractall(folder, filter='fully_trusted')", "unfiltered extractall"),
        ("import shutil\nshutil.unpack_archive(path, folder)", "unfiltered extractall"),
    ],
)
def test_the_gate_sees_each_danger(source, reason) -> None:
    assert [line.split(": ", 1)[1] for line in dangers(source)] == [reason]


@pytest.mark.parametrize(
    "source",
    [
        "network.eval()",
        "import yaml\nyaml.safe_load(text)",
        "from safetensors.torch import load_file\nload_file(path)",
        "import json\njson.load(file)",
        "archive.extractall(folder, filter='data')",
        "import subprocess\nsubprocess.run(words, shell=False)",
    ],
)
def test_the_gate_lets_the_harmless_pass(source) -> None:
    assert dangers(source) == []


def test_the_gate_reads_every_script() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in python_files()}
    assert {"scripts/setup", "surgplan/errors.py", "plugins/napari_surgplan/__init__.py"} <= names


# --- how a room opens


def as_ruff_sorts(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions, each by the alphabet."""
    if name.isupper():
        return 0, name
    return (1, name) if name[0].isupper() else (2, name)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_says_what_comes_in_what_goes_out_and_what_is_public(room) -> None:
    tree = ast.parse((room / "__init__.py").read_text())
    docstring = ast.get_docstring(tree) or ""
    assert re.match(r"In: .+?\. Out: .+\.", docstring, flags=re.DOTALL), docstring
    private = [p.name for p in room.glob("*.py") if not p.name.startswith("_")]
    assert not private, f"a room has one door; rename to _{private[0]}"
    declared = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    has_code = any(not isinstance(node, ast.Expr) for node in tree.body)
    assert len(declared) == int(has_code), "`__all__` must be written out once"
    if declared:
        public = ast.literal_eval(declared[0])
        assert public == sorted(set(public), key=as_ruff_sorts)
        assert not any(name.startswith("_") for name in public)


# --- dependencies


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BROUGHT_BY_NAPARI = {"qtpy", "magicgui", "superqt", "vispy", "psygnal"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return {normal(re.match(r"[\w.-]+", line)[0]) for line in lines}


OPTIONAL = sorted(set(PROJECT["optional-dependencies"]) - {"ai", "gui", "dev", "all"})


def allowed_for(path: Path) -> set[str]:
    """Distributions that a file may import when it is loaded."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == "plugins":
        return declared("gui") | BROUGHT_BY_NAPARI
    if parts[0] == "surgplan" and parts[1] not in WITH_NETWORKS:
        return declared()
    if parts[0] == "surgplan":
        return declared("ai")
    return declared("ai", "gui", "dev") | BROUGHT_BY_NAPARI


OURS = {"surgplan", "napari_surgplan"}
DISTRIBUTIONS = metadata.packages_distributions()
DISTRIBUTIONS |= {"vtkmodules": ["vtk"]}


@pytest.mark.parametrize("path", python_files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_what_the_project_declares(path) -> None:
    tree = ast.parse(path.read_text())
    late = modules_imported_late(tree)
    undeclared = []
    for line, module in imported_modules(tree):
        top = module.split(".")[0]
        beside = path.with_name(f"{top}.py").is_file()  # a script and the file next to it
        if top in sys.stdlib_module_names or top in OURS or beside:
            continue
        sources = {normal(name) for name in DISTRIBUTIONS.get(top, [top])}
        allowed = allowed_for(path) | (declared(*OPTIONAL) if (line, module) in late else set())
        if not sources & allowed:
            undeclared.append(f"{line}: {module}")
    assert not undeclared, "declare it in pyproject.toml or leave it"


def test_every_extra_that_a_message_names_is_one() -> None:
    texts = [path.read_text() for path in (*python_files(), ROOT / "README.md")]
    named = {extra for text in texts for extra in re.findall(r"surgplan\[([\w,]+)\]", text)}
    assert {extra for names in named for extra in names.split(",")} <= set(
        PROJECT["optional-dependencies"]
    )


def required_by(name: str, extras: tuple[str, ...]) -> set[str]:
    """Names of all installed distributions that a fresh install of these extras brings."""
    from packaging.requirements import Requirement

    seen: set[tuple[str, str]] = set()
    queue = [(name, extra) for extra in ("", *extras)]
    while queue:
        current = queue.pop()
        if current in seen:
            continue
        seen.add(current)
        try:
            lines = metadata.requires(current[0]) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in map(Requirement, lines):
            if requirement.marker is None or requirement.marker.evaluate({"extra": current[1]}):
                needed = normal(requirement.name)
                queue += [(needed, extra) for extra in ("", *requirement.extras)]
    return {found for found, _ in seen}


def licence_words(package: metadata.PackageMetadata) -> list[str]:
    """Alternatives among which the user of a package may choose."""
    expression = package.get("License-Expression") or package.get("License", "").split("\n")[0]
    if expression:
        return expression.split(" OR ")
    return [line for line in package.get_all("Classifier", []) if "License ::" in line]


def is_viral(words: str) -> bool:
    return bool(re.search(r"(?<!L)\bA?GPL|(?<!Lesser )General Public License", words))


@pytest.mark.parametrize(
    ("words", "viral"),
    [
        ("GPL-3.0-only", True),
        ("AGPL-3.0-or-later", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("LGPL-3.0-only", False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("Apache-2.0", False),
    ],
)
def test_the_licence_gate_tells_gpl_from_lgpl(words, viral) -> None:
    assert is_viral(words) == viral


def test_no_gpl_comes_with_the_default_install() -> None:
    names = required_by("surgplan", ("ai", "gui"))
    assert len(names) > 60
    viral = []
    for name in sorted(names):
        try:
            words = licence_words(metadata.metadata(name))
        except metadata.PackageNotFoundError:  # for another system or Python
            continue
        if words and all(map(is_viral, words)):
            viral.append((name, words))
    assert viral == []


# --- the suite itself


LEAK = "kept = []\n\ndef test_leak(tmp_path):\n    kept.append((tmp_path / 'a').open('w'))\n"


@pytest.mark.skipif(sys.platform != "linux", reason="open files are listed on Linux only")
def test_a_test_that_leaves_a_file_open_fails(tmp_path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_leak.py").write_text(LEAK)
    words = ["-q", "-p", "no:napari", "-p", "no:pytest-qt", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *words, f"--basetemp={tmp_path}/base", str(tmp_path)],
        check=False, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 1, result.stdout
    assert "ended with files still open" in result.stdout
