"""A method that cites a paper at its head names it for documents too."""

from __future__ import annotations

import re
import sys

import pytest

from avion_core.methods import METHODS, find_method

_CITED = re.compile(r"arXiv (\d{4}\.\d{4,5})")


@pytest.mark.parametrize("name", METHODS)
def test_the_source_is_a_paper_that_the_file_cites(name: str) -> None:
    method = find_method(name)
    cited = _CITED.findall(str(sys.modules[method.__module__].__doc__))
    if name == "avion":  # whose paper is the whole project's
        assert "2603.12659" in method.source
    elif cited:
        assert _CITED.findall(method.source)[0] in cited
    else:
        assert not _CITED.findall(method.source)
