"""The proxy does what it is told, and nothing else."""

import http.server
import threading

import httpx
import pytest

from filewright.chassis.testing.faulty_proxy import Fault, FaultyProxy

BODY = bytes(range(256)) * 1000


class _Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    taken: list[bytes]

    def do_PUT(self):
        self.taken.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


@pytest.fixture
def taken():
    return []


@pytest.fixture
def proxy(taken):
    handler = type("Handler", (_Echo,), {"taken": taken})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # connections break here on purpose
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    with FaultyProxy(server.server_address[1]) as between:
        yield between
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(proxy):
    with httpx.Client(base_url=proxy.endpoint, trust_env=False) as one:
        yield one


def put(client):
    return client.put("/", content=BODY)


def test_without_a_fault_everything_passes(client, proxy, taken):
    for _ in range(3):
        assert put(client).content == BODY
    assert taken == [BODY] * 3
    assert proxy.met == 0


def test_an_answer_of_its_own_is_given_as_often_as_asked_and_the_server_hears_nothing(client, proxy, taken):
    put(client)
    proxy.arm(Fault(status=503), times=2)
    assert [put(client).status_code for _ in range(4)] == [503, 503, 200, 200]
    assert proxy.met == 2
    assert len(taken) == 3


@pytest.mark.parametrize("fault", [Fault(cut_down_after=50_000), Fault(end_down_after=50_000)])
def test_an_answer_is_cut_at_the_byte(proxy, taken, fault):
    proxy.arm(fault, times=1)
    received = b""
    with pytest.raises(httpx.TransportError), httpx.stream("PUT", proxy.endpoint, content=BODY) as answer:
        for block in answer.iter_raw():
            received += block
    assert 0 < len(received) < 50_000
    assert BODY.startswith(received)
    assert taken == [BODY]


def test_a_lost_answer_is_one_that_the_server_gave(client, proxy, taken):
    proxy.arm(Fault(cut_down_after=0), times=1)
    with pytest.raises(httpx.TransportError):
        put(client)
    assert taken == [BODY]


def test_what_is_cut_on_the_way_up_never_arrives_whole(client, proxy, taken):
    proxy.arm(Fault(cut_up_after=50_000), times=1)
    with pytest.raises(httpx.TransportError):
        put(client)
    assert put(client).content == BODY
    assert BODY in taken
    assert len([body for body in taken if body == BODY]) == 1


def test_one_bit_is_flipped_where_it_was_asked_for(client, proxy, taken):
    proxy.arm(Fault(flip_down_at=100_000), times=1)
    assert sum(a != b for a, b in zip(put(client).content, BODY, strict=True)) == 1
    proxy.arm(Fault(flip_up_at=100_000), times=1)
    put(client)
    assert sum(a != b for a, b in zip(taken[-1], BODY, strict=True)) == 1
    assert put(client).content == BODY


def test_nobody_is_there_until_reconnected(client, proxy):
    put(client)
    proxy.cut_off()
    with pytest.raises(httpx.TransportError):
        put(client)
    proxy.reconnect()
    assert put(client).content == BODY


def test_healing_ends_every_fault(client, proxy):
    proxy.arm(Fault(status=503))
    assert put(client).status_code == 503
    proxy.heal()
    assert put(client).content == BODY


def test_what_was_asked_in_these_words_is_done_and_nobody_is_told(client, proxy, taken):
    proxy.arm(Fault(lose_answer_to=(b"PUT ", bytes(range(250, 256)))))
    with pytest.raises(httpx.TransportError):
        put(client)
    assert taken == [BODY]
    assert proxy.lost == 1
    proxy.arm(Fault(lose_answer_to=(b"DELETE ", b"PUT ")))
    assert put(client).content == BODY
    assert proxy.lost == 0


def test_a_mute_line_takes_everything_and_says_nothing(proxy, taken):
    proxy.arm(Fault(mute=True))
    with (
        httpx.Client(base_url=proxy.endpoint, timeout=0.5, trust_env=False) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        put(client)
    assert taken == [BODY]


def test_bytes_can_trickle(client, proxy):
    proxy.arm(Fault(delay=0.001, at_once=100_000))
    assert put(client).content == BODY
    assert proxy.met == 1
