import pytest

from app.host.exports import whole_window
from sair_core.errors import ConfigError


def test_the_size_is_that_of_the_file():
    assert whole_window((33, 41), 1.5).size_px == (49, 61)  # 49.5 and 61.5: no pixel lies half outside
    assert whole_window((33, 41), 7.3).size_px == (241, 299)
    with pytest.raises(ConfigError):
        whole_window((33, 41), 65)
