"""How `make docs` builds the site: Sphinx, with pages in Markdown (MyST) and the theme Furo."""

from __future__ import annotations

import inspect
import re
from typing import Any

from sphinx.application import Sphinx

from airflow_provider_smspartner import __version__

PACKAGE = "airflow_provider_smspartner"

project = "airflow-provider-smspartner"
author = "The airflow-provider-smspartner authors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "sphinx_design"]
exclude_patterns = ["_static", "pictures", "figures"]
# What it can't find fails the build: `make docs` takes warnings for errors.
nitpicky = True
# The types of others are not looked up, for this would need their sites while the docs are built; nor are private names
# and type variables.
nitpick_ignore_regex = [("py:.*", rf"(?!{PACKAGE}\.).*"), ("py:.*", rf"{PACKAGE}\..*\b(_.*|T)")]
# Arguments that callers leave out.
nitpick_ignore = [
    ("py:class", f"{PACKAGE}.protocol.codes.Codes"),
    ("py:class", f"{PACKAGE}.testing.exchange.Answer"),
]

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

# A single backtick in a docstring names a parameter, or something to link to.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
add_module_names = False

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

html_theme = "furo"
html_title = "SMS Partner for Airflow"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_copyright = False
html_theme_options: dict[str, Any] = {
    "light_css_variables": {"color-brand-primary": "#0b5cad", "color-brand-content": "#0b5cad"},
    "dark_css_variables": {"color-brand-primary": "#7ab8ff", "color-brand-content": "#7ab8ff"},
}

# `make docs-links` asks for each address that a page links to. These answer only a browser, or with a key.
linkcheck_ignore = [r"https://api\.smspartner\.fr/.*", r"https://example\.com/.*", r"http://127\.0\.0\.1.*"]
linkcheck_timeout = 15


def add_parameters_of_bases(
    _app: Sphinx, what: str, _name: str, obj: Any, _options: object, lines: list[str]
) -> None:
    """
    Let a class list the parameters that it passes on to its bases.

    In the code each stands where it is handled. Who reads the reference wants all of them in one place.
    """
    if what != "class" or not any(line.startswith(":param kwargs:") for line in lines):
        return
    start = next(number for number, line in enumerate(lines) if line.startswith(":param kwargs:"))
    end = next(
        (number for number in range(start + 1, len(lines)) if not lines[number].startswith(" ")), len(lines)
    )
    described = set(re.findall(r"^:param (\w+):", "\n".join(lines), re.MULTILINE)) - {"kwargs"}
    inherited: list[str] = []
    for base in obj.__mro__[1:]:
        if base.__module__.startswith(PACKAGE):
            inherited += _parameters(inspect.getdoc(base) or "", described)
    if inherited:
        lines[start:end] = [*inherited, ":param kwargs: those of every operator of Airflow."]


def _parameters(docstring: str, described: set[str]) -> list[str]:
    """Return the lines of a docstring that describe parameters not described yet, and note those."""
    lines: list[str] = []
    is_new = False
    for line in docstring.splitlines():
        if found := re.match(r":param (\w+):", line):
            is_new = found[1] not in described | {"kwargs"}
            described.add(found[1])
        elif not line.startswith(" "):
            is_new = False
        if is_new:
            lines.append(line)
    return lines


def setup(app: Sphinx) -> None:
    """Connect what this file adds to Sphinx."""
    app.connect("autodoc-process-docstring", add_parameters_of_bases)
