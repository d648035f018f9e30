"""redis-cli, as it is used by hand and in scripts."""

from __future__ import annotations

import subprocess

import pytest
from tests.support.server import Server, StartServer
from tests.support.tools import PATIENCE, environment, run, tool
from tests.support.wire import frame

SESAME = "open-sesame"


class Cli:
    """redis-cli on one server."""

    def __init__(self, server: Server) -> None:
        self.command = [tool("redis-cli"), "-p", str(server.port)]

    def __call__(self, *words: str, stdin: bytes = b"") -> str:
        """What it prints."""
        return run(*self.command, *words, stdin=stdin)


@pytest.fixture
def cli(server: Server) -> Cli:
    return Cli(server)


def test_one_command_a_call(cli: Cli) -> None:
    assert cli("PING") == "PONG\n"
    assert cli("SET", "greeting", "hello world") == "OK\n"
    assert cli("GET", "greeting") == "hello world\n"
    assert cli("GET", "nothing") == "\n"
    assert cli("MSET", "a", "1", "b", "2") == "OK\n"
    assert cli("MGET", "a", "b", "c") == "1\n2\n\n"
    assert cli("DEL", "a", "b", "c") == "2\n"
    assert cli("EXISTS", "a", "greeting") == "1\n"
    assert cli("KV.RANGE", "[g", "[h") == "greeting\nhello world\n"
    assert cli("DBSIZE") == "1\n"


def test_replies_for_people(cli: Cli) -> None:
    cli("MSET", "a", "1", "b", "two")
    assert cli("--no-raw", "MGET", "a", "b", "c") == '1) "1"\n2) "two"\n3) (nil)\n'
    assert cli("--no-raw", "STRLEN", "b") == "(integer) 3\n"
    assert cli("--no-raw", "NOPE").startswith("(error) ERR unknown command 'NOPE'")


def test_piped_commands(cli: Cli) -> None:
    typed = b'SET a "one two"\nGET a\nSELECT 1\nGET a\n'
    assert cli(stdin=typed) == "OK\none two\nOK\n\n"


def test_a_value_from_standard_input(cli: Cli) -> None:
    assert cli("-x", "SET", "file", stdin=b"line 1\nline 2\x00\xff") == "OK\n"
    assert cli("STRLEN", "file") == "15\n"


def test_another_database(cli: Cli) -> None:
    assert cli("-n", "3", "SET", "k", "in 3") == "OK\n"
    assert cli("-n", "3", "GET", "k") == "in 3\n"
    assert cli("GET", "k") == "\n"


def test_resp3(cli: Cli) -> None:
    assert cli("-3", "SET", "k", "v") == "OK\n"
    assert cli("-3", "--no-raw", "GET", "nothing") == "(nil)\n"
    assert cli("-3", "--no-raw", "CONFIG", "GET", "save") == '1# "save" => ""\n'
    assert '"proto" => (integer) 3' in cli("-3", "--no-raw", "HELLO")
    assert cli("-3", "INFO", "server").startswith("# Server\r\n")


def test_repeated_commands(cli: Cli) -> None:
    assert cli("-r", "3", "ECHO", "again") == "again\nagain\nagain\n"


def test_command_docs_for_its_hints(cli: Cli) -> None:
    shown = cli("COMMAND", "DOCS", "GET", "KV.RANGE")
    assert "Returns the value of a key." in shown
    assert int(cli("COMMAND", "COUNT")) == len(cli("COMMAND", "LIST").split())


def test_an_interactive_session_shows_no_error(server: Server) -> None:
    script = tool("script")  # gives it a terminal
    command = f"{tool('redis-cli')} -p {server.port}"
    done = subprocess.run(
        [script, "-qec", command, "/dev/null"],
        input=b"SET k v\nGET k\nexit\n",
        stdout=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
        env=environment(TERM="dumb"),
    )
    shown = done.stdout.decode()
    assert '"v"' in shown
    assert "error" not in shown.lower()


def test_shutdown(cli: Cli, server: Server) -> None:
    assert cli("SET", "k", "v") == "OK\n"
    assert cli("SHUTDOWN") == ""
    assert server.wait() == 0


def test_mass_insertion(cli: Cli) -> None:
    mass = b"".join(frame("SET", f"key:{number}", number) for number in range(100_000))
    assert "errors: 0, replies: 100000" in cli("--pipe", stdin=mass)
    assert cli("DBSIZE") == "100000\n"
    assert cli("GET", "key:99999") == "99999\n"
    found = cli("--scan", "--pattern", "key:9999*").split()
    assert sorted(found) == ["key:9999", *(f"key:9999{digit}" for digit in range(10))]


def test_mass_insertion_with_errors(cli: Cli) -> None:
    mass = frame("SET", "a", 1) + frame("NOSUCH") + frame("SET", "b", 2)
    done = subprocess.run([*cli.command, "--pipe"], input=mass, capture_output=True, check=False)
    assert b"errors: 1, replies: 3" in done.stdout
    assert cli("DBSIZE") == "2\n"


def test_every_key_by_scanning(cli: Cli) -> None:
    cli(stdin=b"".join(b"SET k%d v\n" % number for number in range(1000)))
    assert len(set(cli("--scan").split())) == 1000
    assert cli("-3", "--scan", "--pattern", "k99[89]").split() == ["k998", "k999"]


def test_what_takes_room(cli: Cli) -> None:
    cli("MSET", "small", "v", "large", "v" * 1000)
    shown = cli("--bigkeys")
    assert """Biggest string found '"large"' has 1000 bytes""" in shown
    assert "2 strings with 1001 bytes" in shown
    shown = cli("--memkeys")
    assert """Biggest string found '"large"' has""" in shown
    assert "Sampled 2 keys in the keyspace!" in shown


@pytest.mark.parametrize("option", ["--latency", "--latency-history", "--stat"])
def test_watching_a_server(cli: Cli, option: str) -> None:
    command = [*cli.command, "--raw", option, "-i", "0.05"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as watching:
        assert watching.stdout is not None
        shown = watching.stdout.read(1)  # it shows figures, and not an error
        watching.terminate()
        shown += watching.stdout.read()
    assert shown
    assert b"rror" not in shown


def test_a_transaction_by_hand(cli: Cli) -> None:
    typed = b"MULTI\nSET a 1\nGET a\nEXEC\nMULTI\nNOSUCH\nEXEC\n"
    lines = cli(stdin=typed).splitlines()
    assert lines[:5] == ["OK", "QUEUED", "QUEUED", "OK", "1"]
    assert "EXECABORT Transaction discarded because of previous errors." in lines


def test_a_monitor_and_a_subscriber_by_hand(cli: Cli, server: Server) -> None:
    command = [tool("redis-cli"), "-p", str(server.port)]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen([*command, "MONITOR"], stdout=pipe, text=True) as monitor,
        subprocess.Popen([*command, "SUBSCRIBE", "x"], stdout=pipe, text=True) as listener,
    ):
        assert monitor.stdout is not None
        assert listener.stdout is not None
        assert monitor.stdout.readline() == "OK\n"
        assert [listener.stdout.readline() for _ in range(3)] == ["subscribe\n", "x\n", "1\n"]
        assert cli("PUBLISH", "x", "hello") == "1\n"
        assert [listener.stdout.readline() for _ in range(3)] == ["message\n", "x\n", "hello\n"]
        line = monitor.stdout.readline()
        while "PUBLISH" not in line:
            line = monitor.stdout.readline()
        assert line.endswith('"PUBLISH" "x" "hello"\n')
        monitor.terminate()
        listener.terminate()


def test_a_password(start_server: StartServer) -> None:
    server = start_server(environ=environment(KVEIK_PASSWORD=SESAME))
    cli = Cli(server)
    assert cli("PING").startswith("NOAUTH Authentication required.")
    assert cli("--no-auth-warning", "-a", SESAME, "PING") == "PONG\n"
