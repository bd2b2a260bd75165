import pytest

from app.host.accounts import read_accounts
from sair_core.errors import ConfigError


def test_accounts(tmp_path):
    path = tmp_path / "accounts"
    path.write_text("# people\nanna:pass:word\n\nbert: x \n")
    assert read_accounts(path) == [("anna", "pass:word"), ("bert", " x")]
    path.write_text("anna:word\n", encoding="utf-8-sig")  # as editors on Windows do
    assert read_accounts(path) == [("anna", "word")]
    for text, message in (
        ("anna", "line 1 is not"),
        ("a:b\n:secret", "line 2 is not"),
        ("\n", "names nobody"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message) as caught:
            read_accounts(path)
        assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match="FileNotFoundError"):
        read_accounts(tmp_path / "none")
