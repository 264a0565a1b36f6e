import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.net.SocketFactory;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/**
 * Tomcat's own thread pool, PostgreSQL's JDBC driver, a pool of connections and a pool of helper threads: Server PORT URL THREADS HELPERS
 * CONNECTIONS TRUTH. When it is ended it writes, for every request, the local port of each connection that it used, from when until when
 * (System.nanoTime is CLOCK_MONOTONIC), and whether by a helper.
 */
public final class Server {
    private record Call(boolean helper, int port, long begin, long end) {}

    private record Work(String path, int client, long begin, List<Call> calls) {
        synchronized void add(Call call) {
            calls.add(call);
        }
    }

    private record Pooled(Connection connection, int port) {}

    /** The driver tells no one its local port. */
    public static final class Sockets extends SocketFactory {
        static Socket latest;

        @Override
        public Socket createSocket() {
            return latest = new Socket();
        }

        @Override
        public Socket createSocket(String host, int port) throws IOException {
            return latest = new Socket(host, port);
        }

        @Override
        public Socket createSocket(String host, int port, java.net.InetAddress local, int localPort) throws IOException {
            return latest = new Socket(host, port, local, localPort);
        }

        @Override
        public Socket createSocket(java.net.InetAddress host, int port) throws IOException {
            return latest = new Socket(host, port);
        }

        @Override
        public Socket createSocket(java.net.InetAddress host, int port, java.net.InetAddress local, int localPort) throws IOException {
            return latest = new Socket(host, port, local, localPort);
        }
    }

    private final BlockingQueue<Pooled> connections = new ArrayBlockingQueue<>(256);
    private final ConcurrentLinkedQueue<Work> truth = new ConcurrentLinkedQueue<>();
    private final ExecutorService helpers;

    private Server(String url, int helperThreads, int connectionCount) throws Exception {
        helpers = Executors.newFixedThreadPool(helperThreads);
        for (int i = 0; i < connectionCount; i++) {
            Connection connection = DriverManager.getConnection(url + "&socketFactory=Server$Sockets");
            connections.add(new Pooled(connection, Sockets.latest.getLocalPort()));
        }
    }

    private void statements(Work work, int number, int count, boolean helper) throws Exception {
        Pooled pooled = connections.take();
        try {
            long begin = System.nanoTime();
            for (int i = 0; i < count; i++) {
                try (PreparedStatement statement =
                         pooled.connection().prepareStatement("SELECT product_id, quantity FROM purchase_line WHERE id = ?")) {
                    statement.setInt(1, number + i);
                    statement.executeQuery().close();
                }
            }
            work.add(new Call(helper, pooled.port(), begin, System.nanoTime()));
        } finally {
            connections.add(pooled);
        }
    }

    private static long burn(int number) {
        long sum = number;
        for (int i = 0; i < 200_000; i++) {
            sum = sum * 31 + i;
        }
        return sum;
    }

    private Future<?> help(Work work, int number, int count) {
        return helpers.submit(() -> {
            statements(work, number, count, true);
            return null;
        });
    }

    private void serve(Work work, String kind, int number) throws Exception {
        switch (kind) {
            case "three" -> {
                for (int i = 0; i < 3; i++) {
                    statements(work, number + i, 1, false);
                }
            }
            case "many" -> statements(work, number, 10, false);
            case "helper" -> {
                statements(work, number, 1, false);
                help(work, number, 1).get();
            }
            case "double" -> help(work, number, 2).get();
            case "fan" -> {
                List<Future<?>> all = new ArrayList<>();
                for (int i = 0; i < 3; i++) {
                    all.add(help(work, number + i, 1));
                }
                for (Future<?> each : all) {
                    each.get();
                }
                statements(work, number, 1, false);
            }
            case "burn" -> helpers.submit(() -> burn(number)).get();
            default -> statements(work, number, 1, false);
        }
    }

    private final class Servlet extends HttpServlet {
        @Override
        protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
            Work work = new Work(request.getRequestURI(), request.getRemotePort(), System.nanoTime(), new ArrayList<>());
            truth.add(work);
            String[] parts = request.getRequestURI().split("/");
            try {
                serve(work, parts[1], Integer.parseInt(parts[2]));
            } catch (Exception failure) {
                throw new IOException(failure);
            }
            byte[] body = "{\"done\":true}".getBytes();
            response.setContentType("application/json");
            response.setContentLength(body.length);
            response.getOutputStream().write(body);
        }
    }

    private void write(Path file) {
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(file))) {
            for (Work work : truth) {
                StringBuilder calls = new StringBuilder();
                for (Call call : work.calls()) {
                    calls.append(calls.isEmpty() ? "" : ",")
                        .append(String.format("{\"helper\":%b,\"port\":%d,\"begin\":%d,\"end\":%d,\"background\":false}", call.helper(),
                                              call.port(), call.begin(), call.end()));
                }
                out.printf("{\"path\":\"%s\",\"client\":[\"127.0.0.1\",%d],\"begin\":%d,\"calls\":[%s]}%n", work.path(), work.client(),
                           work.begin(), calls);
            }
        } catch (IOException failure) {
            failure.printStackTrace();
        }
    }

    public static void main(String[] arguments) throws Exception {
        Server server = new Server(arguments[1], Integer.parseInt(arguments[3]), Integer.parseInt(arguments[4]));
        Path file = Path.of(arguments[5]);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> server.write(file)));
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(file.getParent().toString());
        Connector connector = new Connector();
        connector.setPort(Integer.parseInt(arguments[0]));
        connector.setProperty("address", "127.0.0.1");
        connector.setProperty("maxThreads", arguments[2]);
        connector.setProperty("minSpareThreads", arguments[2]);
        connector.setProperty("maxKeepAliveRequests", "-1");
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "all", server.new Servlet());
        context.addServletMappingDecoded("/*", "all");
        tomcat.start();
        tomcat.getServer().await();
    }
}
