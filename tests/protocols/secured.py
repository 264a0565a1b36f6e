"""A server with a thread for each connection, in the clear or, with a certificate and its key, over TLS."""

import socketserver
import ssl


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    context = None

    def finish_request(self, request, client_address):
        """In the connection's thread, so nobody waits for another one's handshake."""
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)


def serve(handler, port, *pair):
    server = Server(("127.0.0.1", int(port)), handler)
    if pair:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(*pair)
    server.serve_forever()
