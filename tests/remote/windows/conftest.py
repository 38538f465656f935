from __future__ import annotations

import pytest


@pytest.fixture(params=["5.1", ""], ids=["windows-powershell-5.1", "powershell-7"], scope="module")
def edition(request: pytest.FixtureRequest) -> str:
    return str(request.param)
