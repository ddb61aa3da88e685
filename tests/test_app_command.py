"""Where the page listens, and whom it lets in: what the command takes, and what it refuses."""

import socket

import pytest
from app_cases import TOKEN, FakeEngine, a_studio
from asgi import ask

from tipim_jax.app import __main__ as command
from tipim_jax.app.__main__ import main
from tipim_jax.app.lock import is_loopback
from tipim_jax.app.server import application


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "expected --token"),
        (["--host", "::"], "expected --token"),
        (["--host", "192.168.1.7"], "expected --token"),
        (["--host", "0.0.0.0", "--token", "short"], "--token has 5 signs; expected 20 or more"),
        (["--token", "../" * 10], "--token holds '.', '/'; expected 20 or more signs, all of"),
        (["--token", "é!"], "--token has 2 signs and holds '!', 'é'; expected"),
        (["--port", "70000"], "--port is 70000"),
        (["--iterations", "0"], "--iterations is 0"),
    ],
)
def test_what_would_let_others_in_is_refused(arguments, said, capsys, monkeypatch):
    monkeypatch.delenv("TIPIM_TOKEN", raising=False)
    assert main([*arguments, "--no-open"]) == 1
    assert said in capsys.readouterr().err


def test_a_token_may_come_from_where_others_cannot_read_it(capsys, monkeypatch):
    served = []
    monkeypatch.setattr(command, "_serve", lambda settings, *_: served.append(settings.token))
    monkeypatch.setenv("TIPIM_TOKEN", TOKEN)
    assert main(["--no-open"]) == 0
    assert main(["--no-open", "--token", "another-" + TOKEN]) == 0
    assert served == [TOKEN, "another-" + TOKEN]
    monkeypatch.setenv("TIPIM_TOKEN", "short")
    assert main(["--no-open"]) == 1
    assert "TIPIM_TOKEN has 5 signs" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "TIPIM_TOKEN" in capsys.readouterr().out


def test_loopback_is_told_from_what_only_looks_like_it():
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "localhost")))
    others = ("0.0.0.0", "::", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "")
    assert not any(map(is_loopback, others))


def test_who_lets_others_in_answers_to_numbers_and_own_names_alone(folder):
    with a_studio(folder, FakeEngine()) as studio:
        lock = application(studio, token=TOKEN, host="0.0.0.0", port=8377)
        for host, status in (
            ("192.168.1.7:8377", 200),
            ("[fe80::1]:8377", 200),
            (f"{socket.gethostname()}:8377", 200),
            ("evil.example:8377", 421),
        ):
            assert ask(lock, "GET", f"/{TOKEN}/", headers=[("host", host)]).status == status


@pytest.mark.parametrize(
    ("host", "told", "own"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("::1", "[::1]", "[::1]"),
        ("0.0.0.0", socket.gethostname(), "127.0.0.1"),
        ("::", socket.gethostname(), "[::1]"),
        ("192.168.1.7", "192.168.1.7", "192.168.1.7"),
    ],
)
def test_the_addresses_that_are_told_are_answered(folder, host, told, own):
    assert command.addresses(host) == (told, own)
    with a_studio(folder) as studio:
        door = application(studio, token=TOKEN, host=host, port=8377)
    for name in (told, own):
        assert ask(door, "GET", f"/{TOKEN}/", headers=[("host", f"{name}:8377")]).status == 200
