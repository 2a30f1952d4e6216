"""The yardstick: what anyone would write first, a bare aiohttp proxy that copies bytes and looks at nothing."""

from __future__ import annotations

import asyncio
import sys

import aiohttp
from aiohttp import web

from tests.benchmarks.processes import announce, pin

_SESSION = web.AppKey("session", aiohttp.ClientSession)


async def relay(request: web.Request) -> web.StreamResponse:
    url = f"{sys.argv[2]}{request.path}"
    headers = {"content-type": request.content_type}
    async with request.app[_SESSION].post(url, data=await request.read(), headers=headers) as answer:
        if answer.content_type == "application/json":
            return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)
        response = web.StreamResponse(status=answer.status, headers={"content-type": answer.headers["content-type"]})
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response


async def serve() -> None:
    app = web.Application()
    app[_SESSION] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    app.router.add_post("/v1/chat/completions", relay)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    announce(runner.addresses[0][1])
    await asyncio.Event().wait()


if __name__ == "__main__":
    pin(sys.argv[1])
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.run(serve())
    else:
        asyncio.run(serve())
