"""Binds the truth of testbed.truth to gunicorn: its workers' sockets are wrapped after accept, its hooks say when a request is over. With
SHOP_TRUTH unset everything is gunicorn's own."""

import os

from gunicorn.workers.gthread import ThreadWorker
from gunicorn.workers.sync import SyncWorker

from testbed import arrival
from testbed import truth as testbed_truth

TRUTH = os.environ.get("SHOP_TRUTH")


class NotingSyncWorker(SyncWorker):
    def handle(self, listener, client, addr):
        super().handle(listener, testbed_truth.InboundSocket.adopt(client, self.wsgi_truth), addr)


class NotingThreadWorker(ThreadWorker):
    def enqueue_req(self, conn):
        if not isinstance(conn.sock, testbed_truth.InboundSocket):
            conn.sock = testbed_truth.InboundSocket.adopt(conn.sock, self.wsgi_truth)
        super().enqueue_req(conn)


keepalive = 60
threads = int(os.environ.get("SHOP_THREADS", "1"))
if TRUTH:
    worker_class = NotingThreadWorker if threads > 1 else NotingSyncWorker

    def when_ready(server):
        for listener in server.LISTENERS:
            arrival.request_stamps(listener.sock)

    def post_worker_init(worker):
        import app
        from testbed.truth_drivers import note_http_calls
        worker.wsgi_truth = app.truth = testbed_truth.Truth(TRUTH)
        note_http_calls(app.truth)

    def post_request(worker, req, environ, resp):
        worker.wsgi_truth.finish(req.method, req.path, resp.status_code if resp else 0)

    def worker_exit(server, worker):
        testbed_truth.flush_all()
else:
    worker_class = "gthread" if threads > 1 else "sync"
