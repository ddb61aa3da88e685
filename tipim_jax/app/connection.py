"""Connections that nobody holds open without asking for anything: uvicorn itself waits for ever."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """Closes itself where no whole head of a request is there in time.

    Between two requests uvicorn's own timeout counts, but only until a byte comes.
    """

    def __init__(self, *given, seconds: float, **more):
        """As uvicorn's.

        Args:
          seconds: from when it is opened, or from the first byte of a further request, to the end
            of the request's head; what comes meanwhile does not prolong it.
        """
        super().__init__(*given, **more)
        self._seconds = seconds
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport):
        super().connection_made(transport)
        self._watch()

    def data_received(self, data):
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc):
        super().connection_lost(exc)
        self._forget()

    def _watch(self):
        if self.cycle is not None and not self.cycle.response_complete:  # it is being answered
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self._seconds, self.transport.abort)

    def _forget(self):
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
