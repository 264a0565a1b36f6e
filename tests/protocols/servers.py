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


def http2(stack, subject=False):
    """hypercorn with h2: prior knowledge over TCP."""
    need("hypercorn", "h2", "httpx")
    port = free_port()
    server = stack.start("hypercorn", [sys.executable, "-m", "hypercorn", "--bind", f"127.0.0.1:{port}", "--keep-alive", "60", "service:app"],
                         environment={"PYTHONPATH": HERE}).wait_for_port(port)
    return Started(server, port, subject)


def http2_server(stack):
    return http2(stack, subject=True)


def websocket(stack, subject=False):
    need("websockets")
    port = free_port()
    server = stack.start("websocket", [sys.executable, HERE / "websocket_echo.py", port]).wait_for_port(port)
    return Started(server, port, subject)


def websocket_server(stack):
    return websocket(stack, subject=True)


def grpc(stack):
    need("grpc")
    port = free_port()
    server = stack.start("grpc", [sys.executable, HERE / "service.py", port]).wait_for_port(port)
    return Started(server, port)


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


def redis_tls(stack):
    need("redis")
    authority, *pair = certify(stack.directory)
    redis = stores.Redis(stack, secured_by=pair)
    return Started(redis.process, redis.port, authority=authority)


def dns_tcp(stack):
    need("dns")
    port = free_port()
    return Started(stack.start("names", [sys.executable, HERE / "names_over_tcp.py", port]).wait_for_port(port), port)


def redis_pipeline(stack):
    need("redis")
    redis = stores.Redis(stack)
    return Started(redis.process, redis.port)


def redis_pipeline_node(stack):
    packages = HERE.parents[1] / "build" / "node"
    if not (packages / "node_modules" / "ioredis").exists():
        raise Missing("the Node packages are not installed (scripts/setup)")
    redis = stores.Redis(stack)
    return Started(redis.process, redis.port, client=(program("node"), HERE / "pipeline_client.js"), environment={"NODE_PACKAGES": packages})


def postgres_pipeline(stack):
    need("psycopg")
    postgres = stores.Postgres(stack)
    return Started(postgres.process, postgres.port)


def memcached(stack):
    need("pymemcache")
    port = free_port()
    arguments = [program("memcached"), "-l", "127.0.0.1", "-p", port, *(["-u", "nobody"] if os.geteuid() == 0 else [])]
    return Started(stack.start("memcached", arguments).wait_for_port(port), port)


def mongodb(stack):
    """FerretDB where it is installed; MongoDB itself is not to be had, so else a double that answers the driver's commands."""
    need("pymongo")
    port = free_port()
    ferret = shutil.which("ferretdb")
    if ferret:
        arguments = [ferret, "--handler=sqlite", f"--sqlite-url=file:{stack.directory}/", f"--listen-addr=127.0.0.1:{port}",
                     "--telemetry=disable", f"--state-dir={stack.directory}", "--debug-addr=-"]
    else:
        arguments = [sys.executable, HERE / "mongodb_double.py", port]
    return Started(stack.start("mongodb", arguments).wait_for_port(port), port)


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


def kafka(stack):
    """Kafka in KRaft mode, from a directory with its jars (KAFKA_JARS); too big to be installed for a test."""
    need("kafka")
    jars = os.environ.get("KAFKA_JARS")
    if not jars:
        raise Missing("KAFKA_JARS does not name a directory with Kafka's jars")
    java, port, controller = program("java"), free_port(), free_port()
    settings = stack.directory / "server.properties"
    settings.write_text(f"process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n"
                        f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n"
                        f"log.dirs={stack.directory}/kafka\noffsets.topic.replication.factor=1\ngroup.initial.rebalance.delay.ms=0\n")
    made = subprocess.run([java, "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", settings],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if made.returncode != 0:
        raise StackError(f"Kafka's storage was not made:\n{made.stdout}{made.stderr}")
    process = stack.start("kafka", [java, "-Xmx512m", "-cp", f"{jars}/*", "kafka.Kafka", settings]).wait_for_port(port, 120)
    return Started(process, port)


START = {start.__name__: start for start in (http2, http2_server, websocket, websocket_server, grpc, mysql, memcached, mongodb, rabbitmq, kafka,
                                                 mysql_tls, redis_tls, rabbitmq_tls, redis_pipeline,
                                                 redis_pipeline_node, postgres_pipeline, dns_tcp)}
