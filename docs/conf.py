import seqgen

project = "seqgen"
author = "The seqgen founders"
copyright = "2026, the seqgen founders"
version = release = seqgen.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = True
# As targets, attributes such as `piece` would be taken for the type of a parameter.
napoleon_use_ivar = True
exclude_patterns = ["_build", "requirements.txt"]
html_theme = "furo"
html_title = "seqgen"
nitpicky = False
