"""How much of a body is read while the application is busy with other things."""

import asyncio
import socket
from contextlib import asynccontextmanager

from filewright.chassis.web.drain import Drain
from filewright.chassis.web.server import READ_AHEAD_BYTES, make_server

BODY_BYTES = 128 << 20
IN_KERNEL_BYTES = 48 << 20
"""What the buffers of a loopback connection hold at the most, on both sides."""


class Application:
    """Reads when it is told to."""

    def __init__(self):
        self.go_on = asyncio.Event()
        self.largest = self.all = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        await self.go_on.wait()
        more = True
        while more:
            message = await receive()
            self.largest = max(self.largest, len(message["body"]))
            self.all += len(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def served(app):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = make_server(app, Drain(), host="127.0.0.1", port=0)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


async def test_a_sender_waits_for_an_application_that_does_not_read():
    app = Application()
    async with asyncio.timeout(60), served(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.transport.set_write_buffer_limits(0)
        writer.write(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES)
        piece, sent = bytes(1 << 20), 0
        waits = False
        while sent < BODY_BYTES:
            writer.write(piece)
            sent += len(piece)
            try:
                await asyncio.wait_for(writer.drain(), None if waits else 1.0)
            except TimeoutError:
                waits = True
                assert sent < READ_AHEAD_BYTES + IN_KERNEL_BYTES
                app.go_on.set()
                await writer.drain()
        assert waits
        assert b" 204 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert app.all == BODY_BYTES
    assert READ_AHEAD_BYTES < app.largest < 2 * READ_AHEAD_BYTES
