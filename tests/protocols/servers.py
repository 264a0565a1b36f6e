"""The servers of the protocol tests, throw-away and on free ports of loopback."""

import dataclasses
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import time

from testbed import stores
from testbed.certificates import certify
from testbed.processes import Process, StackError, free_port

HERE = pathlib.Path(__file__).resolve().parent


class Missing(Exception):
    """Something that this test needs is not installed."""


@dataclasses.dataclass
class Started:
    process: Process
    port: int
    is_subject: bool = False  # recorded is the server, not the client
    options: tuple = ()       # of record
    authority: str = ""       # file: of the certificates, where it speaks TLS
    client: tuple = ()        # another than that of clients.py; it gets the same arguments but for the protocol
    environment: dict = dataclasses.field(default_factory=dict)  # of the client


def wait_for(holds, process, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        if not process.running() or time.monotonic() > deadline:
            raise StackError(f"{what}:\n{process.tail()}")
        time.sleep(0.02)


def need(*modules):
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise Missing(f"the Python package {module} is not installed (scripts/setup)")


def program(name, *places):
    found = shutil.which(name) or next((path for path in places if os.path.exists(path)), None)
    if found is None:
        raise Missing(f"{name} is not installed")
    return found


def http(stack, subject=False, tls=False):
    """hypercorn with h2: HTTP/1.1, and HTTP/2 by prior knowledge, or over TLS by ALPN."""
    need("hypercorn", "h2", "httpx")
    port = free_port()
    authority, *pair = certify(stack.directory) if tls else [""]
    secured = [f"--{option}={file}" for option, file in zip(("certfile", "keyfile"), pair)]
    server = stack.start("hypercorn", [sys.executable, "-m", "hypercorn", "--bind", f"127.0.0.1:{port}", "--keep-alive", "60", *secured, "service:app"],
                         environment={"PYTHONPATH": HERE}).wait_for_port(port)
    return Started(server, port, subject, authority=authority)


def http1(stack):
    return http(stack)


def http1_tls(stack):
    return http(stack, tls=True)


def http2(stack):
    return http(stack)


def http2_tls(stack):
    return http(stack, tls=True)


def large(stack, protocol="http1", tls=False):
    need("brotli", "backports.zstd")
    started = http(stack, tls=tls)
    started.client = (sys.executable, HERE / "large_client.py", protocol)
    return started


def large_tls(stack):
    return large(stack, tls=True)


def large_http2(stack):
    return large(stack, "http2")


def large_http2_tls(stack):
    return large(stack, "http2", tls=True)


def http2_server(stack):
    return http(stack, subject=True)


def websocket(stack, subject=False, tls=False):
    need("websockets")
    port = free_port()
    authority, *pair = certify(stack.directory) if tls else [""]
    server = stack.start("websocket", [sys.executable, HERE / "websocket_echo.py", port, *pair]).wait_for_port(port)
    return Started(server, port, subject, authority=authority)


def websocket_server(stack):
    return websocket(stack, subject=True)


def websocket_tls(stack):
    return websocket(stack, tls=True)


def node_client(file, package, **started):
    """A client for Node."""
    packages = HERE.parents[1] / "build" / "node"
    if not (packages / "node_modules" / package).exists():
        raise Missing("the Node packages are not installed (scripts/setup)")
    return Started(client=(program("node"), HERE / file), environment={"NODE_PACKAGES": packages}, **started)


def grpc(stack, tls=False):
    need("grpc")
    port = free_port()
    authority, *pair = certify(stack.directory) if tls else [""]
    server = stack.start("grpc", [sys.executable, HERE / "service.py", port, *pair]).wait_for_port(port)
    return Started(server, port, authority=authority)


def grpc_node(stack, tls=False):
    """grpc-js, whose TLS is Node's. That of grpcio has no symbols: tests/tls/opaque.py has it."""
    server = grpc(stack, tls)
    return node_client("grpc_client.js", "@grpc", process=server.process, port=server.port, authority=server.authority)


def grpc_node_tls(stack):
    return grpc_node(stack, tls=True)


def owned_by(user, directory, *files):
    """Copies of files in a directory, which a server that is not root may read."""
    copies = [pathlib.Path(shutil.copy(file, directory)) for file in files]
    for copy in copies:
        copy.chmod(0o600)
        if user:
            shutil.chown(copy, user, user)
    return copies


def mysql(stack, tls=False):
    need("pymysql")
    program("mariadbd", "/usr/sbin/mariadbd"), program("mariadb-install-db")
    authority, *pair = certify(stack.directory) if tls else [""]

    def secured(server):
        return [f"--ssl-{option}={file}" for option, file in zip(("cert", "key"), owned_by(server.user, server.data, *pair))]

    server = stores.MariaDb(stack, options=secured)
    return Started(server.process, server.port, authority=authority)


def mysql_tls(stack):
    return mysql(stack, tls=True)


def postgres(stack, tls=False):
    need("psycopg", "asyncpg")
    authority, *pair = certify(stack.directory) if tls else [""]
    started = stores.Postgres(stack, secured_by=pair)
    return Started(started.process, started.port, authority=authority)


def postgres_tls(stack):
    return postgres(stack, tls=True)


def redis(stack, tls=False):
    need("redis")
    authority, *pair = certify(stack.directory) if tls else [""]
    started = stores.Redis(stack, secured_by=pair)
    return Started(started.process, started.port, authority=authority)


def redis_tls(stack):
    return redis(stack, tls=True)


def dns_tcp(stack, tls=False):
    need("dns")
    port = free_port()
    authority, *pair = certify(stack.directory) if tls else [""]
    return Started(stack.start("names", [sys.executable, HERE / "names_over_tcp.py", port, *pair]).wait_for_port(port), port, authority=authority)


def dns_tcp_tls(stack):
    return dns_tcp(stack, tls=True)


def redis_pipeline(stack):
    return redis(stack)


def redis_pipeline_tls(stack):
    return redis(stack, tls=True)


def redis_pipeline_node(stack, tls=False):
    started = redis(stack, tls)
    return node_client("pipeline_client.js", "ioredis", process=started.process, port=started.port, authority=started.authority)


def redis_pipeline_node_tls(stack):
    return redis_pipeline_node(stack, tls=True)


def postgres_pipeline(stack):
    return postgres(stack)


def postgres_pipeline_tls(stack):
    return postgres(stack, tls=True)


def memcached(stack, tls=False):
    need("pymemcache")
    port = free_port()
    user = "nobody" if os.geteuid() == 0 else None
    authority, secured = "", []
    if tls:
        authority, *pair = certify(stack.directory)
        (stack.directory / "memcached").mkdir()
        certificate, key = owned_by(None, stack.directory / "memcached", *pair)  # read before it becomes another user
        secured = ["-Z", "-o", f"ssl_chain_cert={certificate},ssl_key={key}"]
    arguments = [program("memcached"), "-l", "127.0.0.1", "-p", port, *secured, *(["-u", user] if user else [])]
    return Started(stack.start("memcached", arguments).wait_for_port(port), port, authority=authority)


def memcached_tls(stack):
    return memcached(stack, tls=True)


def memcached_pipeline(stack):
    return memcached(stack)


def memcached_pipeline_tls(stack):
    return memcached(stack, tls=True)


def mongodb(stack, tls=False):
    """FerretDB: MongoDB itself is not to be had."""
    need("pymongo")
    port, ferret = free_port(), HERE.parents[1] / "build" / "go" / "bin" / "ferretdb"
    if not ferret.exists():
        raise Missing("FerretDB is not built (scripts/setup, with a Go toolchain)")
    (stack.directory / "ferretdb").mkdir()
    authority, *pair = certify(stack.directory) if tls else [""]
    listens = ["--listen-addr=", f"--listen-tls=127.0.0.1:{port}", *(f"--listen-tls-{name}-file={file}" for name, file in zip(("cert", "key"), pair))] if tls \
        else [f"--listen-addr=127.0.0.1:{port}"]
    process = stack.start("ferretdb", [ferret, "--handler=sqlite", f"--sqlite-url=file:{stack.directory}/ferretdb/", f"--state-dir={stack.directory}",
                                       "--telemetry=disable", "--debug-addr=-", *listens])
    return Started(process.wait_for_port(port), port, authority=authority)


def mongodb_tls(stack):
    return mongodb(stack, tls=True)


def rabbitmq(stack, tls=False):
    need("pika")
    server = program("/usr/lib/rabbitmq/bin/rabbitmq-server")  # not the one in the PATH, which stays in front of it
    port, distribution, mapper = free_port(), free_port(), free_port()
    home = stack.directory / "rabbitmq"
    home.mkdir()
    user = "rabbitmq" if os.geteuid() == 0 else None
    if user:
        shutil.chown(home, user, user)
    listeners, authority = f"listeners.tcp.1 = 127.0.0.1:{port}\n", ""
    if tls:
        authority, *pair = certify(stack.directory)
        files = dict(zip(("cacertfile", "certfile", "keyfile"), owned_by(user, home, authority, *pair)))
        listeners = f"listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:{port}\n" + "".join(f"ssl_options.{name} = {file}\n" for name, file in files.items())
    (home / "rabbitmq.conf").write_text(listeners + "loopback_users = none\n")
    # A port mapper of its own, in the foreground: the one that the node would start stays behind.
    stack.start("epmd", [program("epmd"), "-address", "127.0.0.1", "-port", mapper], user=user).wait_for_port(mapper)
    process = stack.start("rabbitmq", [server], user=user, environment={
        "HOME": home, "RABBITMQ_MNESIA_BASE": home, "RABBITMQ_LOG_BASE": home, "RABBITMQ_CONFIG_FILE": home / "rabbitmq.conf",
        "RABBITMQ_NODENAME": f"timesink{port}@localhost", "RABBITMQ_ENABLED_PLUGINS_FILE": home / "plugins", "RABBITMQ_DIST_PORT": distribution,
        "ERL_EPMD_PORT": mapper, "ERL_EPMD_ADDRESS": "127.0.0.1",
        # The script then becomes the node, and does not wait beside it.
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput -kernel inet_dist_use_interface {127,0,0,1}",
    }).wait_for_port(port, 120)
    return Started(process, port, authority=authority)


def rabbitmq_tls(stack):
    return rabbitmq(stack, tls=True)


def kafka_jars():
    """A directory with Kafka's jars: KAFKA_JARS, or what Maven fetches once."""
    if named := os.environ.get("KAFKA_JARS"):
        return named
    jars = HERE.parents[1] / "build" / "kafka"
    if not list(jars.glob("kafka_2*.jar")):
        got = subprocess.run([program("mvn"), "-q", "-B", "-f", HERE / "kafka.xml", "dependency:copy-dependencies", f"-DoutputDirectory={jars}"],
                             capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        if got.returncode != 0:
            raise Missing(f"Maven cannot fetch Kafka: {got.stdout[-300:]}")
    return jars


def kafka(stack, tls=False):
    """Kafka in KRaft mode."""
    need("kafka")
    java, jars, port, controller = program("java"), kafka_jars(), free_port(), free_port()
    settings = stack.directory / "server.properties"
    authority, secured, kind = "", "", "PLAINTEXT"
    if tls:
        kind, (authority, certificate, key) = "SSL", certify(stack.directory)
        both = stack.directory / "both.pem"
        both.write_text(key.read_text() + certificate.read_text())
        secured = f"ssl.keystore.type=PEM\nssl.keystore.location={both}\nssl.truststore.type=PEM\nssl.truststore.location={authority}\n"
    settings.write_text(f"process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n"
                        f"listeners={kind}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n"
                        f"inter.broker.listener.name={kind}\nlistener.security.protocol.map=CONTROLLER:PLAINTEXT,{kind}:{kind}\n{secured}"
                        f"log.dirs={stack.directory}/kafka\noffsets.topic.replication.factor=1\ngroup.initial.rebalance.delay.ms=0\n")
    made = subprocess.run([java, "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", settings],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if made.returncode != 0:
        raise StackError(f"Kafka's storage was not made:\n{made.stdout}{made.stderr}")
    process = stack.start("kafka", [java, "-Xmx512m", "-cp", f"{jars}/*", "kafka.Kafka", settings]).wait_for_port(port, 120)
    return Started(process, port, authority=authority)


def kafka_tls(stack):
    return kafka(stack, tls=True)


START = {start.__name__: start for start in (
    http1, http1_tls, http2, http2_tls, http2_server, websocket, websocket_tls, websocket_server, grpc, grpc_node, grpc_node_tls, postgres, postgres_tls,
    mysql, mysql_tls, redis, redis_tls, memcached, memcached_tls, mongodb, mongodb_tls, rabbitmq, rabbitmq_tls, kafka, kafka_tls, dns_tcp, dns_tcp_tls,
    redis_pipeline, redis_pipeline_tls, redis_pipeline_node, redis_pipeline_node_tls, postgres_pipeline, postgres_pipeline_tls, memcached_pipeline,
    memcached_pipeline_tls, large, large_tls, large_http2, large_http2_tls)}
