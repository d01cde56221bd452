"""How Sphinx builds the documentation: `sphinx-build -W --keep-going docs build/docs`, without a network.

The notebooks are stored without outputs, so a build executes them, except with `-D nb_execution_mode=off`.
"""

import sys
from pathlib import Path

import kerasvision

sys.path.insert(0, str(Path(__file__).parent))

project = "kerasvision"
author = "The kerasvision authors"
copyright = author
version = release = kerasvision.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "docstrings", "floors", "reference_pages"]
exclude_patterns = ["_build"]
templates_path = []

# In our docstrings, single backticks hold code.
default_role = "code"
# An option such as --set and a text in quotes are shown as they are typed.
smartquotes = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_timeout = 1800
nb_execution_raise_on_error = True
# Standard error has only what TensorFlow logs about the machine. An exception ends the build.
nb_output_stderr = "remove"

highlight_language = "none"
html_theme = "furo"
html_title = f"kerasvision {release}"
html_theme_options = {"light_css_variables": {"code-font-size": "0.72rem"}}
html_show_copyright = False
